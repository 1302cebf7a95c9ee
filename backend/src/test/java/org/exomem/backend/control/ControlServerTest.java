package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.BalloonOnly;
import org.exomem.backend.HeldUpVm;
import org.exomem.backend.TestVms;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.state.ArrivalFiles;
import org.exomem.backend.state.ReplacedFile;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmTable;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(value = 180, unit = TimeUnit.SECONDS)
class ControlServerTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final Migrations NO_MIGRATIONS = new Migrations(VmTable.of(), state -> {});

    private TestVms vms;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.named("a", "b");
    }

    @AfterEach
    void stop() throws Exception {
        vms.close();
    }

    @Tag("CTL-1")
    @Test
    void greetingTellsVersionAndNoCapabilities() throws IOException {
        try (RawClient client = new RawClient(vms.control())) {
            JsonNode greeting = client.receive().path("QMP");
            assertThat(greeting.path("capabilities").isArray()).isTrue();
            assertThat(greeting.path("capabilities")).isEmpty();
            assertThat(greeting.path("version").path("qemu").path("major").isInt())
                    .isTrue();
            assertThat(greeting.path("version").path("package").asText()).startsWith("exomem ");
        }
    }

    @Test
    void socketThatAnotherProcessMadeInTheSamePlaceIsLeftAlone(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("control");
        ControlServer first = ControlServer.listen(socket, VmTable.of(), NO_MIGRATIONS, () -> {});
        Files.delete(socket);
        try (ControlServer successor = ControlServer.listen(socket, VmTable.of(), NO_MIGRATIONS, () -> {})) {
            assertThat(successor).isNotNull();
            first.close();
            assertThat(socket).exists();
        }
        assertThat(socket).doesNotExist();
    }

    @Test
    void clientThatLeavesKeepsNoEventFromTheOthers(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("events");
        int events = 50;
        try (ControlServer server = ControlServer.listen(socket, VmTable.of(), NO_MIGRATIONS, () -> {})) {
            for (int round = 0; round < 20; round++) {
                RawClient leaving = RawClient.negotiated(socket);
                try (RawClient staying = RawClient.negotiated(socket)) {
                    Thread closing = Thread.ofPlatform().start(() -> {
                        try (leaving) {
                            server.publish(new VmEvent.Added("a", "first", "here"));
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    });
                    for (int event = 0; event < events; event++) {
                        server.publish(new VmEvent.Added("a", "next", "here"));
                    }
                    closing.join();
                    for (int event = 0; event <= events; event++) {
                        assertThat(staying.receive().path("event").asText()).isEqualTo("DEVICE_ADDED");
                    }
                }
            }
        }
    }

    @Tag("CTL-3")
    @Test
    void answersEndWithCrLf() throws IOException {
        try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(vms.control()))) {
            client.write(StandardCharsets.UTF_8.encode(
                    " \t{\"execute\":\"qmp_capabilities\"}\n\r {\"execute\":\"query-version\"}"));
            client.shutdownOutput();
            String all = new String(Channels.newInputStream(client).readAllBytes(), StandardCharsets.UTF_8);
            assertThat(all).endsWith("\r\n");
            assertThat(all.split("\r\n", -1)).hasSize(4);
            assertThat(all.replace("\r\n", "")).doesNotContain("\r", "\n");
        }
    }

    @Tag("CTL-1")
    @Test
    void commandsNeedNegotiationFirst() throws IOException {
        try (RawClient client = new RawClient(vms.control())) {
            client.receive();
            assertThat(client.ask("{'execute': 'query-status', 'id': 1}"))
                    .isEqualTo("{'error':{'class':'CommandNotFound','desc':'\\'query-status\\' requires "
                            + "capabilities negotiation: send qmp_capabilities first'},'id':1}");
            assertThat(client.ask("{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}"))
                    .contains("'enable\\' must be an empty list");
            assertThat(client.ask("{'execute': 'qmp_capabilities', 'arguments': {'enable': []}}"))
                    .isEqualTo("{'return':{}}");
            assertThat(client.ask("{'execute': 'qmp_capabilities'}"))
                    .isEqualTo("{'error':{'class':'CommandNotFound','desc':'capabilities negotiation is already"
                            + " complete'}}");
        }
    }

    @Tag("CTL-2")
    @ParameterizedTest
    @ValueSource(strings = {"7", "'x'", "[1,{'a':null}]", "{'b':2.5}", "null", "true", "-0.0"})
    void idComesBackAsItWas(String id) throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            assertThat(client.ask("{'id': " + id + ", 'execute': 'query-status'}"))
                    .endsWith("'id':" + id + "}");
        }
    }

    @Tag("CTL-2")
    @Tag("CTL-7")
    @Tag("CTL-8")
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '~', textBlock = """
        {'execute': 'nonsense'}                         | CommandNotFound | there is no command "nonsense"; query-commands lists them
        {'execute': 3}                                  | GenericError    | a command requires "execute" with the name of a command
        {}                                              | GenericError    | a command requires "execute" with the name of a command
        {'execute': 'quit', 'arguments': []}            | GenericError    | "arguments" must be an object
        {'execute': 'query-status', 'extra': 1}         | GenericError    | "extra" is not a member of a command
        {'execute': 'query-status', 'arguments': {'x': 1}} | GenericError | this command has no argument "x"
        [1]                                             | GenericError    | a command must be a JSON object
        {'execute': 'balloon', 'arguments': {'vm': 'a'}} | GenericError   | argument "value" is missing
        {'execute': 'balloon', 'arguments': {'vm': 'a', 'value': 0}} | GenericError | argument "value" must be a whole number from 1 to 9223372036854775807
        {'execute': 'balloon', 'arguments': {'vm': 'a', 'value': 1.5}} | GenericError | argument "value" must be a whole number from 1 to 9223372036854775807
        {'execute': 'balloon', 'arguments': {'vm': 'a', 'value': 99999999999999999999}} | GenericError | argument "value" must be a whole number from 1 to 9223372036854775807
        {'execute': 'balloon', 'arguments': {'vm': 7, 'value': 1}} | GenericError | argument "vm" must be a string
        {'execute': 'query-balloon'}                    | GenericError    | argument "vm" is missing; there are a, b
        {'execute': 'free-page-hint', 'arguments': {'action': 'start'}} | GenericError | argument "vm" is missing; there are a, b
        {'execute': 'free-pages'}                       | GenericError    | argument "vm" is missing; there are a, b
        {'execute': 'free-pages-cancel'}                | GenericError    | argument "vm" is missing; there are a, b
        {'execute': 'query-free-pages'}                 | GenericError    | argument "vm" is missing; there are a, b
        {'execute': 'query-balloon', 'arguments': {'vm': 'c'}} | DeviceNotFound | there is no VM "c"; there are a, b
        {'execute': 'query-balloon', 'arguments': {'vm': 'a'}} | DeviceNotActive | VM "a" shares no memory: no VMM is connected
        {'execute': 'query-balloon-stats', 'arguments': {'vm': 'a'}} | DeviceNotActive | VM "a": no VMM is connected
        {'execute': 'free-page-hint', 'arguments': {'vm': 'a', 'action': 'start'}} | DeviceNotActive | VM "a": no VMM is connected
        {'execute': 'free-page-hint', 'arguments': {'vm': 'a', 'action': 'go'}} | GenericError | action "go" is not one of start, stop, done
        {'execute': 'migrate', 'arguments': {'vm': 'c', 'uri': 'unix:/nowhere'}} | DeviceNotFound | there is no VM "c"; there are a, b
        {'execute': 'migrate', 'arguments': {'vm': 'a', 'uri': 'unix:/nowhere'}} | GenericError | VM "a": the QMP socket of its VMM is not known: set vmm-qmp=PATH where the VM is served, or name the socket here
        {'execute': 'migrate', 'arguments': {'vm': 'a', 'uri': 'unix:/nowhere', 'psk-file': '/\\u0000'}} | GenericError | argument "psk-file" is not a valid path: Nul character not allowed
        {'execute': 'migrate', 'arguments': {'vm': 'a', 'uri': 'unix:/nowhere', 'tls-dir': '/\\u0000'}} | GenericError | argument "tls-dir" is not a valid path: Nul character not allowed
        {'execute': 'migrate', 'arguments': {'vm': 'a', 'uri': 'unix:/nowhere', 'vmm-qmp': '/\\u0000'}} | GenericError | argument "vmm-qmp" is not a valid path: Nul character not allowed
        {'execute': 'migrate-incoming', 'arguments': {'vm': 'c', 'uri': 'unix:/nowhere'}} | DeviceNotFound | there is no VM "c"; there are a, b
        {'execute': 'migrate-incoming', 'arguments': {'vm': 'a', 'uri': 'unix:/nowhere'}} | GenericError | VM "a": the QMP socket of its VMM is not known: set vmm-qmp=PATH where the VM is served, or name the socket here
        {'execute': 'migrate-cancel', 'arguments': {'vm': 'c'}} | DeviceNotFound | there is no VM "c"; there are a, b
        {'execute': 'migrate-cancel', 'arguments': {'vm': 'a'}} | GenericError | VM "a" is not migrating
        {'execute': 'query-migrate', 'arguments': {'vm': 'c'}} | DeviceNotFound | there is no VM "c"; there are a, b
        {'execute': 'set-balloon-stats-interval', 'arguments': {'vm': 'a', 'interval': -1}} | GenericError | argument "interval" must be a whole number from 0 to 86400
        """)
    void wrongCommandHasItsOwnError(String command, String errorClass, String description) throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            client.send(command);
            JsonNode error = client.receive().path("error");
            assertThat(error.path("class").asText()).isEqualTo(errorClass);
            assertThat(error.path("desc").asText()).isEqualTo(description);
            assertThat(client.ask("{'execute': 'query-status'}")).contains("'vms':2");
        }
    }

    @Tag("CTL-5")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "nonsense\n",
                "} { \n",
                "{'execute' 'x'}",
                "{'execute': 'quit', 'execute': 'quit'}",
                "{]",
                "{'execute': 'quit\n",
                "'string'\n",
                "12\n",
                "\u0000\u0001\n",
                "{\"execute\": \"\\u12\"}"
            })
    void whatIsNoJsonIsOneErrorAndTheClientGoesOn(String garbage) throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            client.send(garbage);
            assertThat(client.receive().path("error").path("class").asText()).isEqualTo("GenericError");
            assertThat(client.ask("{'execute': 'query-status'}")).contains("'vms':2");
        }
    }

    @Test
    @Tag("CTL-5")
    void whatIsNotUtf8IsOneErrorAndTheClientGoesOn() throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            client.sendBytes(
                    "{\"execute\": \"query-status\", \"id\": \"\u00e4\"}".getBytes(StandardCharsets.ISO_8859_1));
            assertThat(client.receive().toString())
                    .isEqualTo("{\"error\":{\"class\":\"GenericError\",\"desc\":\"the received text is not UTF-8\"}}");
            client.sendAsIs("{\"execute\": \"query-status\", \"id\": \"\u00e4\"}");
            assertThat(client.receive().path("id").asText()).isEqualTo("\u00e4");
        }
    }

    @Test
    @Tag("CTL-4")
    @Tag("CTL-20")
    void keyFileThatHangsKeepsNoOtherClientWaiting(@TempDir Path folder) throws Exception {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        try (RawClient waits = RawClient.negotiated(vms.control());
                RawClient other = RawClient.negotiated(vms.control())) {
            waits.send("{'execute': 'migrate-incoming', 'arguments': {'vm': 'a', 'uri': 'unix:" + folder.resolve("s")
                    + "', 'psk-file': '" + fifo + "'}, 'id': 1}{'execute': 'query-status', 'id': 2}");
            assertThat(other.ask("{'execute': 'query-status'}")).contains("'vms':2");
            JsonNode refused = waits.receive();
            assertThat(refused.path("id").asInt()).isEqualTo(1);
            assertThat(refused.path("error").path("class").asText()).isEqualTo("GenericError");
            // The commands of one client are carried out in order.
            assertThat(waits.receive().path("id").asInt()).isEqualTo(2);
        }
    }

    @Tag("CTL-3")
    @Test
    void commandMayComeByteByByteAndManyInOnePiece() throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            for (char c : "{\"execute\": \"query-status\", \"id\": \"}{\"}".toCharArray()) {
                client.sendAsIs(String.valueOf(c));
            }
            assertThat(client.receive().path("id").asText()).isEqualTo("}{");

            StringBuilder many = new StringBuilder();
            for (int i = 0; i < 500; i++) {
                many.append("{'execute':'query-vms','id':").append(i).append('}');
            }
            client.send(many.toString());
            for (int i = 0; i < 500; i++) {
                assertThat(client.receive().path("id").asInt()).isEqualTo(i);
            }
        }
    }

    @Tag("CTL-12")
    @Test
    void clientThatHasSaidAllGetsItsAnswersThenTheEnd() throws IOException {
        try (RawClient client = new RawClient(vms.control())) {
            client.send(
                    "{'execute':'qmp_capabilities'}{'execute':'query-vms','id':1}{'execute':'query-status','id':2}");
            client.endOfInput();
            assertThat(client.receive().has("QMP")).isTrue();
            assertThat(client.receive().has("return")).isTrue();
            assertThat(client.receive().path("id").asInt()).isEqualTo(1);
            assertThat(client.receive().path("id").asInt()).isEqualTo(2);
            assertThat(client.isAtEnd()).isTrue();
        }
    }

    @Tag("CTL-5")
    @Test
    void commandWithoutEndIsRefusedAndTheConnectionCloses() throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            client.sendAsIs("{\"execute\": \"" + "x".repeat(ControlConnection.MAX_COMMAND - 1));
            JsonNode error = client.receive().path("error");
            assertThat(error.path("desc").asText())
                    .isEqualTo("a command has at most 65536 bytes; the connection is closed");
            assertThat(client.isAtEnd()).isTrue();
        }
    }

    @Test
    void deepNestingIsAnErrorNotTheEnd() throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            client.sendAsIs("[".repeat(20_000) + "]".repeat(20_000));
            assertThat(client.receive().path("error").path("desc").asText()).startsWith("not JSON: ");
            assertThat(client.ask("{'execute': 'query-status'}")).contains("'vms':2");
        }
    }

    @Tag("CTL-4")
    @Tag("CTL-6")
    @Test
    void clientThatDoesNotReadStopsNobodyElse() throws IOException {
        try (RawClient silent = RawClient.negotiated(vms.control());
                RawClient other = RawClient.negotiated(vms.control())) {
            Thread sender = Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        silent.send("{'execute': 'query-vms'}".repeat(100));
                    }
                } catch (IOException e) {
                    // The test is over, and so is the connection.
                }
            });
            for (int i = 0; i < 200; i++) {
                assertThat(other.ask("{'execute': 'query-status'}")).contains("'vms':2");
            }
            silent.close();
            assertThat(sender).isNotNull();
        }
    }

    @Tag("CTL-11")
    @Test
    void wishOfAnUnconnectedVmIsAppliedWhenItsGuestComes() throws IOException {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            long wanted = TestVms.MEMORY - (16 << 20);
            assertThat(client.ask("{'execute': 'balloon', 'arguments': {'vm': 'a', 'value': " + wanted + "}}"))
                    .isEqualTo("{'return':{}}");
            BalloonDriver driver = vms.attach("a");
            assertThat(driver.numPages()).isEqualTo((16 << 20) / 4096);
        }
    }

    @Tag("CTL-9")
    @Tag("CTL-10")
    @Test
    void lifeOfABalloonIsSeenInAnswersAndEvents() throws IOException {
        try (RawClient watcher = RawClient.negotiated(vms.control());
                RawClient client = RawClient.negotiated(vms.control())) {
            BalloonDriver driver = vms.attach("b");
            JsonNode connected = watcher.event("DEVICE_CONNECTED");
            assertThat(connected.path("data").toString()).isEqualTo("{\"vm\":\"b\",\"device\":\"balloon\"}");
            assertThat(connected.path("timestamp").path("seconds").asLong())
                    .isCloseTo(Instant.now().getEpochSecond(), org.assertj.core.data.Offset.offset(60L));
            assertThat(connected.path("timestamp").path("microseconds").asLong())
                    .isBetween(0L, 999_999L);

            driver.inflate(32 << 20, 1 << 20);
            driver.writeActual(256);
            JsonNode change = watcher.event("BALLOON_CHANGE");
            assertThat(change.path("data").path("vm").asText()).isEqualTo("b");
            assertThat(change.path("data").path("actual").asLong()).isEqualTo(TestVms.MEMORY - (1 << 20));

            client.send("{'execute': 'query-balloon', 'arguments': {'vm': 'b'}}");
            JsonNode answer = client.receive();
            while (answer.has("event")) {
                answer = client.receive();
            }
            JsonNode balloon = answer.path("return");
            assertThat(balloon.path("actual").asLong()).isEqualTo(TestVms.MEMORY - (1 << 20));
            assertThat(balloon.path("ballooned").asLong()).isEqualTo(1 << 20);
            assertThat(balloon.path("memory").asLong()).isEqualTo(TestVms.MEMORY);

            driver.close();
            assertThat(watcher.event("DEVICE_DISCONNECTED")
                            .path("data")
                            .path("reason")
                            .asText())
                    .isNotEmpty();
        }
    }

    @Test
    @Tag("CTL-10")
    void frontEndsThatComeAndGoAreToldOnceASecondAndTheLastWordIsTrue() throws IOException {
        int rounds = 50;
        try (RawClient watcher = RawClient.negotiated(vms.control())) {
            long start = System.nanoTime();
            for (int i = 0; i < rounds; i++) {
                vms.attach("b").close();
            }
            Instant last = Instant.now().truncatedTo(ChronoUnit.MICROS);
            vms.attach("b");
            JsonNode event;
            int told = 0;
            do {
                event = watcher.receive();
                told += event.path("event").asText().startsWith("DEVICE_") ? 1 : 0;
            } while (!event.path("event").asText().equals("DEVICE_CONNECTED")
                    || when(event).isBefore(last));
            assertThat(told)
                    .isLessThanOrEqualTo(
                            (int) Duration.ofNanos(System.nanoTime() - start).toSeconds() + 2)
                    .isLessThan(2 * rounds);
        }
    }

    private static Instant when(JsonNode event) {
        JsonNode timestamp = event.path("timestamp");
        return Instant.ofEpochSecond(
                timestamp.path("seconds").asLong(),
                timestamp.path("microseconds").asLong() * 1000);
    }

    @Test
    @Tag("CTL-9")
    void statisticsAreThoseThatCameLastAndTheGuestIsAskedForOthers() throws Exception {
        BalloonDriver guest = vms.attach("a");
        String ask = "{'execute': 'query-balloon-stats', 'arguments': {'vm': 'a'}}";
        try (RawClient client = RawClient.negotiated(vms.control())) {
            assertThat(client.ask(ask)).isEqualTo("{'return':{'stats':{},'last-update':0}}");
            guest.offerStatistics(Map.of(4, 5L << 20, 5, -1L));
            await().atMost(LIMIT).until(() -> client.ask(ask).contains("'stat-free-memory':5242880"));
            // A guest's numbers are unsigned.
            assertThat(client.ask(ask)).contains("'stat-total-memory':18446744073709551615");
        }
    }

    @Test
    void driverFaultIsAnEvent() throws IOException {
        try (RawClient watcher = RawClient.negotiated(vms.control())) {
            BalloonDriver driver = vms.attach("a");
            RingDriver inflate = driver.device().rings().get(0);
            inflate.add(List.of(Buffer.readable(1L << 40, 4)));
            inflate.kick();
            JsonNode fault = watcher.event("DEVICE_ERROR").path("data");
            assertThat(fault.path("vm").asText()).isEqualTo("a");
            assertThat(fault.path("kind").asText()).isEqualTo("driver");
            assertThat(fault.path("message").asText()).isNotEmpty();
        }
    }

    @Test
    void quitIsAnsweredAndEndsTheProcess() throws Exception {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            assertThat(client.ask("{'execute': 'quit'}")).isEqualTo("{'return':{}}");
            vms.process().awaitStop();
        }
    }

    @Test
    @Tag("CTL-30")
    void quitIsRefusedWhileAVmmIsAttachedUnlessForced() throws Exception {
        vms.attach("a");
        try (RawClient client = RawClient.negotiated(vms.control())) {
            assertThat(client.ask("{'execute': 'quit'}"))
                    .startsWith("{'error':{'class':'GenericError','desc':'a VMM is attached: a; ");
            assertThat(client.ask("{'execute': 'query-status'}")).contains("'connected':1");
            assertThat(client.ask("{'execute': 'quit', 'arguments': {'force': true}}"))
                    .isEqualTo("{'return':{}}");
            vms.process().awaitStop();
        }
    }

    @Tag("CTL-13")
    @Test
    void vmThatDoesNotAnswerIsToldOfAndTheOthersAnswer(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("control");
        try (HeldUpVm heldUp = HeldUpVm.start("held-up", folder);
                ServedVm well = BalloonOnly.start("well", folder, event -> {});
                ControlServer server =
                        ControlServer.listen(socket, VmTable.of(heldUp.vm(), well), NO_MIGRATIONS, () -> {});
                RawClient client = RawClient.negotiated(socket)) {
            assertThat(server).isNotNull();
            assertThat(client.ask("{'execute': 'query-vms'}"))
                    .startsWith("{'return':[{'name':'held-up','attachment':'" + folder.resolve("held-up")
                            + "','responding':false,'sockets':[{'device':'balloon','path':'"
                            + folder.resolve("held-up") + "'}]},{'name':'well','attachment':'" + folder.resolve("well")
                            + "','responding':true,'connected':false,");
            assertThat(client.ask("{'execute': 'query-status'}")).contains("'vms':2,'responding':1,'connected':0");
            assertThat(client.ask("{'execute': 'balloon', 'arguments': {'vm': 'held-up', 'value': 1048576}}"))
                    .isEqualTo("{'error':{'class':'GenericError','desc':'VM \\'held-up\\' does not respond: its memory"
                            + " file or its VMM blocks it'}}");
            assertThat(client.ask("{'execute': 'balloon', 'arguments': {'vm': 'well', 'value': 1048576}}"))
                    .isEqualTo("{'return':{}}");
            assertThat(client.ask("{'execute': 'quit'}")).contains("held-up (does not respond)");
            heldUp.release();
            await().atMost(LIMIT)
                    .until(() -> client.ask("{'execute': 'query-status'}").contains("'responding':2"));
        }
    }

    @Test
    void migrateIncomingAnswersWhenASourceMayConnectOrNeverWill(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("control");
        Path stream = folder.resolve("stream");
        Path qmp = folder.resolve("qmp");
        String wait = "{'execute': 'migrate-incoming', 'arguments': {'vm': 'a', 'uri': 'unix:" + stream
                + "', 'vmm-qmp': '" + qmp + "'}}";
        try (ServedVm vm = BalloonOnly.start("a", folder, event -> {});
                Migrations migrations = new Migrations(VmTable.of(vm), state -> {});
                ControlServer server = ControlServer.listen(socket, VmTable.of(vm), migrations, () -> {});
                RawClient client = RawClient.negotiated(socket)) {
            assertThat(server).isNotNull();
            assertThat(client.ask(wait)).contains("'error'").contains("can't use QMP with the VMM on " + qmp);
            try (EmbeddedGuest guest = EmbeddedGuest.start(
                    EmbeddedOptions.of(folder.resolve("ram"), 4 << 20, qmp).thatIsIncoming())) {
                assertThat(client.ask(wait)).isEqualTo("{'return':{}}");
                assertThat(stream).exists();
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(stream)))
                        .isEqualTo("rw-------");
                assertThat(client.ask("{'execute': 'migrate-cancel', 'arguments': {'vm': 'a'}}"))
                        .isEqualTo("{'return':{}}");
                await().atMost(LIMIT)
                        .until(() -> client.ask("{'execute': 'query-migrate', 'arguments': {'vm': 'a'}}")
                                .contains("'status':'cancelled'"));
                assertThat(guest.failure()).isNull();
            }
        }
    }

    /** A state directory whose file system hangs until the test releases it. */
    private record HangingFiles(Path folder, Semaphore asked, CountDownLatch letGo) implements ArrivalFiles {
        @Override
        public ReplacedFile arrival(String vm) {
            asked.release();
            try {
                letGo.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException("nobody interrupts who waits here", e);
            }
            return new ReplacedFile(folder.resolve("none"));
        }

        @Override
        public List<ReplacedFile> arrivals() {
            return List.of();
        }
    }

    @Tag("CTL-4")
    @Tag("CTL-20")
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'execute': 'save', 'arguments': {'vm': 'a', 'folder': '/none', 'vmm-qmp': '/none'}}",
                "{'execute': 'vmm-update', 'arguments': {'vm': 'a', 'to': '/none', 'vmm-qmp': '/none'}}",
                "{'execute': 'migrate', 'arguments': {'vm': 'a', 'uri': 'unix:/none', 'vmm-qmp': '/none'}}",
                "{'execute': 'migrate-incoming', 'arguments': {'vm': 'a', 'uri': 'unix:/none', 'vmm-qmp': '/none'}}",
            })
    void stateDirectoryThatHangsKeepsNobodyWaiting(String begin, @TempDir Path folder) throws Exception {
        Path socket = folder.resolve("control");
        HangingFiles files = new HangingFiles(folder, new Semaphore(0), new CountDownLatch(1));
        String query = "{'execute': 'query-migrate', 'arguments': {'vm': 'a'}}";
        try (ServedVm vm = BalloonOnly.start("a", folder, event -> {});
                Migrations migrations = new Migrations(VmTable.of(vm), state -> {});
                ControlServer server = ControlServer.listen(socket, VmTable.of(vm), migrations, () -> {});
                RawClient asks = RawClient.negotiated(socket);
                RawClient other = RawClient.negotiated(socket)) {
            assertThat(server).isNotNull();
            migrations.takeUp(files);
            asks.send(begin);
            files.asked.acquire();
            assertThat(other.ask(query)).contains("'status':'setup'");
            assertThat(other.ask("{'execute': 'query-vms'}")).contains("'name':'a'");
            assertThat(migrations.states()).hasSize(1);
            JsonNode answer = asks.receive();
            if (begin.contains("incoming")) {
                assertThat(answer.path("error").path("desc").asText()).contains("did not respond within 8 s");
                files.letGo.countDown();
                await().atMost(LIMIT).until(() -> other.ask(query).contains("'status':'cancelled'"));
            } else {
                assertThat(answer.has("return")).isTrue();
                files.letGo.countDown();
                await().atMost(LIMIT).until(() -> other.ask(query).contains("'status':'failed'"));
            }
        }
    }

    @Test
    void vmThatIsReservedWhileTheStateDirectoryHangsKeepsNobodyWaiting(@TempDir Path folder) throws Exception {
        HangingFiles files = new HangingFiles(folder, new Semaphore(0), new CountDownLatch(1));
        try (ServedVm vm = BalloonOnly.start("a", folder, event -> {});
                Migrations migrations = new Migrations(VmTable.of(vm), state -> {})) {
            migrations.takeUp(files);
            CompletableFuture<Void> reserved =
                    CompletableFuture.runAsync(() -> migrations.reserve("a", "is being detached"));
            files.asked.acquire();
            assertThat(migrations.state("a")).isEmpty();
            assertThat(migrations.cancel("a")).isFalse();
            assertThat(migrations.states()).isEmpty();
            assertThatThrownBy(() -> migrations.reserve("a", "is being changed"))
                    .isInstanceOf(VirtualMachine.Refused.class)
                    .hasMessageContaining("is being detached");
            files.letGo.countDown();
            reserved.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
        }
    }

    @Tag("CTL-22")
    @ParameterizedTest
    @ValueSource(ints = {1, 8, 20})
    void pathOfTheSocketMayBeAsLongAsTheSystemAllows(int nameLength, @TempDir Path folder) throws Exception {
        Path longest = longPath(folder, nameLength, 106);
        try (ControlServer server = ControlServer.listen(longest, VmTable.of(), NO_MIGRATIONS, () -> {});
                RawClient client = new RawClient(longest)) {
            assertThat(server).isNotNull();
            assertThat(client.receive().has("QMP")).isTrue();
            assertThat(longest.resolveSibling("").toFile().list()).hasSize(1);
        }
        assertThatThrownBy(() ->
                        ControlServer.listen(longPath(folder, nameLength, 107), VmTable.of(), NO_MIGRATIONS, () -> {}))
                .hasMessageContaining("its path is 1 bytes too long; the limit is 106 bytes");
    }

    private static Path longPath(Path folder, int nameLength, int bytes) throws IOException {
        int middle = bytes - folder.toString().length() - nameLength - 2;
        return Files.createDirectory(folder.resolve("d".repeat(middle))).resolve("n".repeat(nameLength));
    }

    @Tag("CTL-23")
    @Test
    void onlyTheOwnerMayUseTheSocket() throws IOException {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(vms.control())))
                .isEqualTo("rw-------");
    }

    @Test
    void socketOfALivingProcessIsNotTaken() {
        assertThatThrownBy(() -> ControlServer.listen(vms.control(), VmTable.of(), NO_MIGRATIONS, () -> {}))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(vms.control().toString())
                .hasMessageContaining("another process listens there");
    }

    @Test
    void staleSocketIsReplacedAndAFileIsNot(@TempDir Path folder) throws IOException {
        Path stale = folder.resolve("stale");
        try (var socket = java.nio.channels.ServerSocketChannel.open(java.net.StandardProtocolFamily.UNIX)) {
            socket.bind(java.net.UnixDomainSocketAddress.of(stale));
        }
        try (ControlServer server = ControlServer.listen(stale, VmTable.of(), NO_MIGRATIONS, () -> {});
                RawClient client = new RawClient(stale)) {
            assertThat(server).isNotNull();
            assertThat(client.receive().has("QMP")).isTrue();
        }
        assertThat(stale).doesNotExist();

        Path file = Files.writeString(folder.resolve("file"), "precious");
        assertThatThrownBy(() -> ControlServer.listen(file, VmTable.of(), NO_MIGRATIONS, () -> {}))
                .isInstanceOf(IOException.class);
        assertThat(file).hasContent("precious");
    }
}
