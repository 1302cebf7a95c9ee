package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PipedWriter;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.FakeVmm;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The commands, against a back-end that serves in this JVM, with guests of the test. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class CommandsTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final int MIB = 1 << 20;

    private TestVms vms;
    private String control;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.named("a", "longer-name");
        control = vms.control().toString();
    }

    @AfterEach
    void stop() throws Exception {
        vms.close();
    }

    @Test
    void vmsIsATableOfWhatIsThere() throws Exception {
        BalloonDriver driver = vms.attach("a");
        driver.inflate(32 * MIB, MIB);
        driver.writeActual(256);
        assertThat(Ran.of("balloon", "longer-name", "1.5G", "--control", control)
                        .code())
                .isZero();

        Ran ran = Ran.of("vms", "--control", control);
        assertThat(ran.code()).isZero();
        assertThat(ran.out().replace(vms.folder().toString(), "")).isEqualTo("""
            VM           STATE      MEMORY  ACTUAL   TARGET  SOCKET
            a            connected  64 MiB  63 MiB        -  /a
            longer-name  waiting         -       -  1.5 GiB  /longer-name
            """);
        assertThat(Ran.of("vms", "--features", "--control", control).out()).isEqualTo("""
            VM           STATE      MEMORY  ACTUAL   TARGET  FEATURES
            a            connected  64 MiB  63 MiB        -  must-tell-host,statistics,free-page-hint,free-page-reporting
            longer-name  waiting         -       -  1.5 GiB  -
            """);
    }

    @Test
    @Tag("CTL-35")
    void vmsCanShowHowMuchTheirGuestsWriteOrWhyThatIsNotKnown() throws Exception {
        assertThat(Ran.of("vms", "--active", "--control", control).out()).isEqualTo("""
            VM           STATE    MEMORY  ACTUAL  TARGET  EVERY  WRITTEN  ESTIMATE  SCAN  WHY
            a            waiting       -       -       -      -        -         -     -  -
            longer-name  waiting       -       -       -      -        -         -     -  -
            """);
        try (TestVms others =
                TestVms.with(List.of(), List.of("vm=web,id=m0,addr=4G,size=64M,block=2M,vmm-active=7,vmm-qmp=/none"))) {
            String there = others.control().toString();
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(Ran.of("vms", "--active", "--control", there)
                                    .out())
                            .isEqualTo("""
                                VM   STATE    MEMORY  ACTUAL  TARGET  EVERY  WRITTEN  ESTIMATE  SCAN  WHY
                                web  waiting       -       -       -    7 s        -         -     -  no VMM is connected
                                """));
            JsonNode active = Json.parse(
                            Ran.of("vms", "--json", "--control", there).out())
                    .path(0)
                    .path("active");
            assertThat(active.toString()).isEqualTo("""
                {"interval":7,"reason":"no VMM is connected"}\
                """);
        }
    }

    @Test
    @Tag("CTL-39")
    void pagersAreShownAndMemoryOnDemandNeedsAProcessThatKeepsState() throws Exception {
        Ran ran = Ran.of("pagers", "--control", control);
        assertThat(ran.out()).isEqualTo("VM  STATUS  OWED  ARRIVED  FAULTS  IMAGE  WHY\n");
        assertThat(Ran.of("pagers", "--json", "--control", control).out().strip())
                .isEqualTo("[]");
        assertThat(Ran.of("restore", "/none", "--take", "--on-demand").err()).contains("exclude each other");
        assertThat(Ran.of("restore", "/none", "--on-demand").err()).contains("there is no folder /none");
    }

    @Test
    void jsonIsWhatTheControlSocketSays() throws Exception {
        Ran ran = Ran.of("vms", "--json", "--control", control);
        assertThat(ran.code()).isZero();
        JsonNode vm = Json.parse(ran.out()).path(1);
        assertThat(vm.path("name").asText()).isEqualTo("longer-name");
        assertThat(vm.path("connected").asBoolean()).isFalse();
    }

    @Test
    void balloonWaitsUntilTheGuestHasDoneIt() throws Exception {
        BalloonDriver driver = vms.attach("a");
        CompletableFuture<Void> guest = CompletableFuture.runAsync(() -> {
            try {
                driver.awaitConfigChange();
                long pages = driver.numPages();
                driver.inflate(16 * MIB, pages * 4096);
                driver.writeActual((int) pages);
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });

        Ran ran = Ran.of("balloon", "a", "48M", "--wait", "--control", control);
        guest.join();
        assertThat(ran.err()).isEmpty();
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).isEqualTo("""
            BALLOON          VALUE
            memory          64 MiB
            actual          48 MiB
            target          48 MiB
            in the balloon  16 MiB
            """);
    }

    @Test
    void waitingForAGuestThatDoesNothingEndsWithItsOwnExitCode() throws Exception {
        vms.attach("a");
        Ran ran = Ran.of("balloon", "a", "48M", "--wait", "--timeout", "0", "--control", control);
        assertThat(ran.code()).isEqualTo(ExitCode.TIMED_OUT);
        assertThat(ran.err().strip()).isEqualTo("exomem: no progress for 0 s: VM a has 64 MiB, requested: 48 MiB");
    }

    @Test
    void whatIsKeptForAVmWithoutVmmIsShownAndWaitedFor() throws Exception {
        assertThat(Ran.of("balloon", "a", "48M", "--control", control).code()).isZero();
        Ran shown = Ran.of("balloon", "a", "--control", control);
        assertThat(shown.code()).isZero();
        assertThat(shown.out()).contains("target          48 MiB").contains("actual               -");
        Ran waited = Ran.of("balloon", "a", "48M", "--wait", "--timeout", "0", "--control", control);
        assertThat(waited.code()).isEqualTo(ExitCode.TIMED_OUT);
        assertThat(waited.err())
                .contains("no progress for 0 s: no VMM is connected for VM \"a\"; the size is applied when one"
                        + " connects");
    }

    @ParameterizedTest
    @CsvSource({"-16M, 12288", "+16M, 4096", "32MiB, 8192", "1G, 0"})
    void sizesMayBeAbsoluteOrRelative(String size, int pages) throws Exception {
        BalloonDriver driver = vms.attach("a");
        driver.inflate(32 * MIB, 32 * MIB);
        driver.writeActual(8192);
        await().atMost(LIMIT)
                .until(() -> Ran.of("balloon", "a", "--control", control).out().contains("actual          32 MiB"));
        assertThat(Ran.of("balloon", "--control", control, "a", size).code()).isZero();
        assertThat(driver.numPages()).isEqualTo(pages);
    }

    @Test
    void statisticsAreAskedForAndShown() throws Exception {
        BalloonDriver driver = vms.attach("a");
        driver.offerStatistics(Map.of(4, 3L * MIB, 2, 7L));
        CompletableFuture<Void> guest = CompletableFuture.runAsync(() -> {
            try {
                driver.awaitStatisticsRequest();
                driver.offerStatistics(Map.of(4, 5L * MIB, 2, 8L));
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        await().atMost(LIMIT)
                .until(() -> Ran.of("stats", "a", "--control", control).out().contains("5 MiB"));
        guest.join();
        assertThat(Ran.of("stats", "a", "--control", control).out()).startsWith("""
            STATISTIC     VALUE
            major-faults      8
            free-memory   5 MiB
            As of\
            """);
        assertThat(Ran.of("stats", "a", "--interval", "3600", "--control", control)
                        .code())
                .isZero();
        JsonNode vm =
                Json.parse(Ran.of("vms", "--json", "--control", control).out()).path(0);
        assertThat(vm.path("stats-interval").asInt()).isEqualTo(3600);
    }

    @Test
    void whatIsAskedOfAVmWithoutVmmIsKeptAndSaid() throws Exception {
        Ran balloon = Ran.of("balloon", "a", "48M", "--control", control);
        assertThat(balloon.code()).isZero();
        assertThat(balloon.out()).isEmpty();
        assertThat(balloon.err().strip())
                .isEqualTo("exomem: no VMM is connected; the size is applied when one" + " connects");

        Ran json = Ran.of("balloon", "a", "48M", "--json", "--control", control);
        assertThat(json.code()).isZero();
        assertThat(Json.parse(json.out()).toString()).isEqualTo("{\"target\":50331648}");

        Ran interval = Ran.of("stats", "a", "--interval", "7", "--control", control);
        assertThat(interval.code()).isZero();
        assertThat(interval.err().strip())
                .isEqualTo("exomem: no VMM is connected; statistics will be requested when one connects");
        JsonNode vm =
                Json.parse(Ran.of("vms", "--json", "--control", control).out()).path(0);
        assertThat(vm.path("stats-interval").asInt()).isEqualTo(7);
        assertThat(vm.path("target").asLong()).isEqualTo(48 * MIB);
    }

    @Test
    void hintSessionIsStartedAndShown() throws Exception {
        BalloonDriver driver = vms.attach("a");
        Ran started = Ran.of("hints", "a", "start", "--control", control);
        assertThat(started.err()).isEmpty();
        assertThat(started.out()).contains("hint session          requested");
        driver.beginHinting();
        driver.hint(16 * MIB, 32 * MIB, 4 * MIB);
        driver.endHinting();
        await().atMost(LIMIT)
                .until(() -> Ran.of("hints", "a", "--control", control).out().contains("stopped"));
        assertThat(Ran.of("hints", "a", "DONE", "--control", control).out())
                .contains("hint session            done")
                .contains("hinted in session     32 MiB");
    }

    @Test
    @Tag("CTL-36")
    void freePagesAreAskedForAndShownAsAHistogram() throws Exception {
        BalloonDriver driver = vms.attach("a", vms.ram(MIB), BalloonFeatures.LINUX | BalloonFeatures.FREE_PAGE_BITMAP);
        driver.tellDescriptors(0, 32 * MIB / 4096, 16 * MIB, 64);
        driver.offerRequestBuffer();
        CompletableFuture<Ran> asking =
                CompletableFuture.supplyAsync(() -> Ran.of("free-pages", "a", "--control", control));
        int id = driver.awaitFreePagesRequest();
        BitSet free = new BitSet();
        free.set(0, 3);
        assertThat(driver.sendChunk(id, false, 16 * MIB, 12, free, 8)).isEqualTo(id);
        driver.sendChunk(id, true, 32 * MIB, 22, free, 3);

        Ran shown = asking.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
        assertThat(shown.err()).isEmpty();
        assertThat(shown.code()).isZero();
        assertThat(shown.out())
                .containsPattern("answer +complete")
                .containsPattern("reported free +12.0 MiB")
                .containsPattern("page descriptors +of 32 MiB")
                .containsPattern("\n +4 KiB +4 KiB +#\n +8 KiB +8 KiB +#\n")
                .containsPattern("\n +4 MiB +12 MiB +#+\n");
        JsonNode last = Json.parse(Ran.of("free-pages", "a", "--last", "--json", "--control", control)
                .out());
        assertThat(last.path("id").asInt()).isEqualTo(id);
        assertThat(last.path("bytes").asLong()).isEqualTo(12 * MIB + 3 * 4096);
        assertThat(last.path("descriptors").asLong()).isEqualTo(32 * MIB);
    }

    @Test
    @Tag("CTL-36")
    void aGuestThatTellsNoPageDescriptorsIsShownAsSuch() throws Exception {
        BalloonDriver driver = vms.attach("a", vms.ram(MIB), BalloonFeatures.LINUX | BalloonFeatures.FREE_PAGE_BITMAP);
        driver.offerRequestBuffer();
        CompletableFuture<Ran> asking =
                CompletableFuture.supplyAsync(() -> Ran.of("free-pages", "a", "--control", control));
        driver.awaitFreePagesRequest();
        driver.offerRequestBuffer();

        assertThat(asking.get(LIMIT.toSeconds(), TimeUnit.SECONDS).out())
                .containsPattern("answer +incomplete")
                .containsPattern("page descriptors +none reported");
    }

    @Test
    @Tag("CTL-36")
    void freePagesOfADriverThatKnowsNoBitmapsAreRefusedWithTheReason() throws Exception {
        vms.attach("a");
        Ran ran = Ran.of("free-pages", "a", "--control", control);
        assertThat(ran.code()).isNotZero();
        assertThat(ran.err()).contains("the guest's driver does not support them");
        assertThat(Ran.of("free-pages", "a", "--smallest", "5M", "--control", control)
                        .err())
                .contains("a power of two");
        assertThat(Ran.of("free-pages", "a", "--last", "--control", control).out())
                .contains("No free pages were requested yet");
    }

    @Test
    void pagesAreFollowedUntilTheProcessThatServesEnds() throws Exception {
        BalloonDriver driver = vms.attach("a");
        driver.inflate(32 * MIB, MIB);
        StringWriter people = new StringWriter();
        StringWriter json = new StringWriter();
        StringWriter errors = new StringWriter();
        CompletableFuture<Integer> first =
                follow(people, errors, "hints", "a", "--follow", "start", "--control", control);
        CompletableFuture<Integer> second =
                follow(json, new StringWriter(), "hints", "a", "--follow", "--json", "--control", control);
        await().atMost(LIMIT)
                .until(() -> people.toString().contains("inflated")
                        && json.toString().contains("inflated"));
        int session = driver.beginHinting();
        driver.hint(16 * MIB, 8 * MIB, 8 * MIB);
        await().atMost(LIMIT)
                .until(() -> people.toString().contains("hinted")
                        && json.toString().lines().count() >= 2
                        && json.toString().contains("hinted"));
        vms.process().close();
        assertThat(first.get()).isEqualTo(ExitCode.FAILED);
        assertThat(second.get()).isEqualTo(ExitCode.FAILED);
        assertThat(errors.toString()).isEqualTo("exomem: control socket " + control + ": the connection was closed\n");
        assertThat(people.toString().replaceAll("(?m)^\\d\\d:\\d\\d:\\d\\d\\.\\d{3}", "T"))
                .startsWith("T  inflated        0x2000000  1 MiB\n")
                .contains("T  hint session " + Integer.toUnsignedString(session) + " started\n")
                .contains("T  hinted          0x1000000  8 MiB\n");
        for (String line : json.toString().lines().toList()) {
            assertThat(Json.parse(line).path("timestamp").path("seconds").asLong())
                    .isPositive();
        }
        assertThat(json.toString())
                .contains("\"kind\":\"hinted\"")
                .contains("\"address\":16777216,\"length\":8388608}");
    }

    @Test
    void followingEndsWhenTheVmmHasGoneAndNothingIsMissedBefore() throws Exception {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CompletableFuture<Integer> following = follow(out, err, "hints", "a", "--follow", "--control", control);
        await().atMost(LIMIT).until(() -> err.toString().contains("no VMM is connected for VM \"a\"; waiting for one"));
        BalloonDriver driver = vms.attach("a");
        driver.inflate(32 * MIB, MIB);
        await().atMost(LIMIT).until(() -> out.toString().contains("inflated"));
        driver.close();
        assertThat(following.get()).isEqualTo(ExitCode.OK);
        assertThat(err.toString()).endsWith("exomem: VM \"a\": its VMM disconnected\n");
        assertThat(out.toString())
                .endsWith(
                        "the balloon was reset, or its guest was lost: earlier lines about it no" + " longer count\n");
    }

    @Test
    void followingEndsWhenNobodyReads() throws Exception {
        BalloonDriver driver = vms.attach("a");
        driver.inflate(32 * MIB, MIB);
        StringWriter err = new StringWriter();
        assertThat(follow(new PipedWriter(), err, "hints", "a", "--follow", "--control", control)
                        .get())
                .isEqualTo(ExitCode.FAILED);
        assertThat(err.toString()).contains("the output can't be written");
    }

    @Test
    void followingWhatIsNotServedIsRefused() {
        Ran ran = Ran.of("hints", "nobody", "--follow", "--control", control);
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).startsWith("exomem: there is no VM \"nobody\"");
        // Nothing is printed for an action that is impossible.
        Ran start = Ran.of("hints", "a", "--follow", "start", "--control", control);
        assertThat(start.code()).isEqualTo(ExitCode.FAILED);
        assertThat(start.err()).contains("no VMM is connected");
    }

    private static CompletableFuture<Integer> follow(Writer out, Writer err, String... words) {
        Streams streams = new Streams(new PrintWriter(out), new PrintWriter(err));
        // A thread for each: the common pool may have only one.
        return CompletableFuture.supplyAsync(
                () -> new ExomemCommand().run(streams, words),
                task -> Thread.ofPlatform().daemon().start(task));
    }

    @Test
    void refusalIsOneLineAndExitCode1() {
        Ran ran = Ran.of("balloon", "c", "--control", control);
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err().strip()).isEqualTo("exomem: there is no VM \"c\"; there are a, longer-name");
    }

    @ParameterizedTest
    @ValueSource(strings = {"512", "0", "-64M", "1023K"})
    void sizeThatForgotItsUnitIsRefused(String size) throws Exception {
        vms.attach("a");
        Ran ran = Ran.of("balloon", "--control", control, "a", size);
        assertThat(ran.code()).isEqualTo(ExitCode.USAGE);
        assertThat(ran.err()).contains(" is too small for a VM").contains("such as 512M");
    }

    @Test
    void wrongWordsAreExitCode2() {
        assertThat(Ran.of("balloon", "a", "lots", "--control", control).code()).isEqualTo(ExitCode.USAGE);
        assertThat(Ran.of("balloon").code()).isEqualTo(ExitCode.USAGE);
        assertThat(Ran.of("hints", "a", "begin").code()).isEqualTo(ExitCode.USAGE);
        assertThat(Ran.of("nonsense").code()).isEqualTo(ExitCode.USAGE);
        assertThat(Ran.of("serve", "--baloon", "x").code()).isEqualTo(ExitCode.USAGE);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        nonsense              | exomem: there is no command "nonsense"; the commands are serve, vms, balloon, mem, reset, stats, hints, free-pages, migrate, receive, update-vmm, vm, ram, save, restore, top, ui, pagers, template, clone, add, remove, detach, attach, health, events, check, pki, quit, spec, completion
        serve --baloon x      | exomem: there is no option "--baloon"; did you mean --balloon?
        balloon               | exomem: VM is missing
        balloon a --wiat      | exomem: there is no option "--wiat"; did you mean --wait?
            mem a -- -4M --wait   | exomem: "--wait" is not a size; options must be before "--"
            receive web           | exomem: --listen ADDRESS is missing
            receive               | exomem: VM is missing
            migrate web           | exomem: one of --to ADDRESS, --status and --cancel is required
            migrate web --to a:1 --cancel | exomem: --to, --status and --cancel exclude each other
            migrate web --to foo  | exomem: --to: "foo" is not a valid address; it must be HOST:PORT, [IPV6]:PORT or unix:PATH
            receive web --listen unix: | exomem: --listen: "unix:" is not a valid address
            migrate web --to unix:/s --tls= | exomem: --tls requires a value, but DIR is empty
            migrate web --to unix:/s --psk= | exomem: --psk requires a value, but FILE is empty
            vms --control=        | exomem: --control requires a value, but SOCKET is empty
            serve --state=        | exomem: --state requires a value, but DIR is empty
            pki                   | exomem: "pki" requires a subcommand: pki init
            ram                   | exomem: "ram" requires a subcommand: ram create, ram list, ram check, ram remove
            pki frob              | exomem: there is no command "pki frob"; the commands are pki init
            pki init              | exomem: DIR is missing
        balloon a 1G 2G       | exomem: unexpected argument "2G"
            ram frob --help-me    | exomem: there is no command "ram frob"; the commands are ram create, ram list, ram check, ram remove
            migrate a --to unix:/s --hints maybe | exomem: --hints: "maybe" is none of auto, bitmap, hint, none
            migrate a --to unix:/s --writes maybe | exomem: --writes: "maybe" is none of auto, watch, compare
        hints a begin         | exomem: start|stop|done: "begin" is none of start, stop, done
        completion csh        | exomem: bash|zsh|fish: "csh" is none of bash, zsh, fish
        balloon a 1G --timeout x   | exomem: --timeout: "x" is not a whole number, or too large
        balloon a 1G --timeout     | exomem: --timeout requires a value: SECONDS
        balloon a 1G --timeout -1  | exomem: --timeout -1: must be from 0 to 86400 seconds, a day
        balloon a 1G --timeout 86401 | exomem: --timeout 86401: must be from 0 to 86400 seconds, a day
        stats a --interval 99999999999 | exomem: --interval: "99999999999" is not a whole number, or too large
        vms --control a --control b | exomem: --control is given more than once
        vms --json=maybe           | exomem: --json takes no value
        hints a start --frob       | exomem: there is no option "--frob"
        serve --fd                 | exomem: --fd requires a value: N
        balloon a 1G --timeout 5   | exomem: --timeout needs --wait
        mem a 1G --timeout 5       | exomem: --timeout needs --wait
        vms --memory --features    | exomem: --memory excludes --features and --active
        vms --memory --active      | exomem: --memory excludes --features and --active
        free-pages a --smallest 3K | exomem: --smallest 3K: must be a power of two from 4K to 1G
        free-pages a --smallest 2G | exomem: --smallest 2G: must be a power of two from 4K to 1G
        free-pages a --smallest lots | exomem: --smallest: "lots" is not a size
        free-pages a --smallest 4K --last | exomem: --last and --smallest exclude each other
        migrate a --to unix:/s --bandwidth lots | exomem: --bandwidth: "lots" is not a size
        migrate a --to unix:/s --channels 17 | exomem: --channels 17: must be from 1 to 16
        migrate a --to unix:/s --reconnect-within 3601 | exomem: --reconnect-within 3601: must be from 0 to 3600 seconds, an hour
        receive a --listen unix:/s --reconnect-within 3601 | exomem: --reconnect-within 3601: must be from 0 to 3600 seconds, an hour
        detach                     | exomem: VM or --all is missing
        attach a --all             | exomem: VM and --all exclude each other
        clone t --count 1 --prepare 1 | exomem: --prepare and --count exclude each other: --prepare starts no clones
        """)
    void wrongWordsAreExplainedInAFewLines(String words, String explanation) {
        Ran ran = Ran.of(words.split(" ", -1));
        assertThat(ran.code()).isEqualTo(ExitCode.USAGE);
        assertThat(ran.err()).startsWith(explanation);
        assertThat(ran.err().lines().count()).isLessThanOrEqualTo(3);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        vms                | ''
        template key       | DIR
        restore            | FOLDER
        ram create         | DIR
        balloon            | VM
        mem web            | DEVICE
        balloon web        | SIZE
        pki init --host a  | DIR
        spec               | ID
        """)
    void anEmptyWordIsNoName(String words, String label) {
        List<String> line = new ArrayList<>(List.of(words.split(" ", -1)));
        line.add("");
        Ran ran = Ran.of(line.toArray(String[]::new));
        assertThat(ran.code()).isEqualTo(ExitCode.USAGE);
        assertThat(ran.err())
                .startsWith(label.isEmpty() ? "exomem: unexpected argument \"\"" : "exomem: " + label)
                .contains(label.isEmpty() ? "" : " is empty; is a shell variable not set?");
    }

    @Test
    void wordsOfAChoiceMayBeInCapitalLetters() {
        assertThat(Ran.of("save", "c", "--to", "/nowhere/x", "--hints", "BITMAP", "--control", control)
                        .err())
                .startsWith("exomem: there is no VM \"c\"");
        assertThat(Ran.of("save", "--help").out()).contains("--hints=auto|bitmap|hint|none");
    }

    @Test
    void commandsThatBeginAlikeAreExplainedTogether() {
        Ran ran = Ran.of("ram", "--help");
        assertThat(ran.code()).isZero();
        assertThat(ran.out())
                .startsWith("Usage: exomem ram COMMAND")
                .contains("ram create", "ram list", "ram check", "ram remove")
                .doesNotContain("vms");
    }

    @Test
    void exampleForAShellIsShownAsItIsTyped() {
        assertThat(Ran.of("vm", "command", "--help").out()).contains("\"${options[@]}\"");
    }

    @Test
    void whatIsNoControlSocketIsToldFromOneThatNobodyListensOn(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("s");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        server.accept().close();
                    }
                } catch (IOException e) {
                    // The test is over.
                }
            });
            Ran ran = Ran.of("vms", "--control", socket.toString());
            assertThat(ran.code()).isEqualTo(ExitCode.UNAVAILABLE);
            assertThat(ran.err()).startsWith("exomem: " + socket + " is not a control socket: ");
        }
    }

    @Test
    void theVmmIsNoControlSocket(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("qmp");
        try (FakeVmm _ = new FakeVmm(socket)) {
            Ran ran = Ran.of("vms", "--control", socket.toString());
            assertThat(ran.code()).isEqualTo(ExitCode.UNAVAILABLE);
            assertThat(ran.err())
                    .startsWith("exomem: the process on " + socket + " is not exomem, but another program");
        }
    }

    @Test
    void aPathThatNoSocketCanHaveIsToldAsThat(@TempDir Path folder) {
        Ran ran = Ran.of("vms", "--control", folder.resolve("x".repeat(120)).toString());
        assertThat(ran.code()).isEqualTo(ExitCode.UNAVAILABLE);
        assertThat(ran.err()).contains("is too long: the limit is 107 bytes");
    }

    @Test
    void nobodyListeningIsExitCode3AndSaysWhatToDo(@TempDir Path folder) {
        Ran ran = Ran.of("vms", "--control", folder.resolve("none").toString());
        assertThat(ran.code()).isEqualTo(ExitCode.UNAVAILABLE);
        assertThat(ran.err())
                .contains("no process answers on the control socket " + folder.resolve("none"))
                .contains("exomem serve");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "serve",
                "vms",
                "balloon",
                "mem",
                "reset",
                "stats",
                "hints",
                "free-pages",
                "migrate",
                "receive",
                "update-vmm",
                "save",
                "restore",
                "top",
                "ui",
                "pagers",
                "template key",
                "template create",
                "template list",
                "template check",
                "template remove",
                "clone",
                "add",
                "remove",
                "detach",
                "attach",
                "vm command",
                "ram create",
                "ram list",
                "ram check",
                "ram remove",
                "health",
                "events",
                "check",
                "pki init",
                "quit",
                "spec",
                "completion"
            })
    void everyCommandExplainsItself(String command) {
        Ran ran = Ran.of((command + " --help").split(" ", -1));
        assertThat(ran.code()).isZero();
        assertThat(ran.out().lines()).allMatch(line -> line.length() <= 80);
        assertThat(ran.out()).startsWith("Usage: exomem " + command).contains("Exit codes:");
        assertThat(Ran.of("--help").out()).contains(command);
        // A line that is too long would be continued at the left.
        assertThat(ran.out().substring(ran.out().indexOf("\nOptions:")).lines())
                .noneMatch(line -> line.matches("[-a-z].*"));
    }

    @Test
    void quitEndsTheProcess() throws Exception {
        assertThat(Ran.of("quit", "--control", control).code()).isZero();
        vms.process().awaitStop();
    }

    @Test
    void quitWithVmmsAttachedNamesThemUnlessForced() throws Exception {
        vms.attach("a");
        Ran refused = Ran.of("quit", "--control", control);
        assertThat(refused.code()).isEqualTo(ExitCode.FAILED);
        assertThat(refused.err()).contains("a VMM is attached: a;").contains("exomem quit --force");
        assertThat(Ran.of("quit", "--force", "--control", control).code()).isZero();
        vms.process().awaitStop();
    }
}
