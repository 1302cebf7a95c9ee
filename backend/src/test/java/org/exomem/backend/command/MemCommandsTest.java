package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The commands about memory devices, against a back-end that serves in this JVM, with guests of the test. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class MemCommandsTest {
    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 4L << 30;

    private TestVms vms;
    private String control;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.with(
                List.of("db"),
                List.of(
                        "vm=web,id=m0,addr=4G,size=256M,block=2M,node=1",
                        "vm=web,id=m1,addr=0x110000000,size=128M,block=4M,requested=8M",
                        "vm=db,id=big,addr=4G,size=64M,block=1M"));
        control = vms.control().toString();
    }

    @AfterEach
    void stop() throws Exception {
        vms.close();
    }

    private Ran run(String... words) {
        String[] all = new String[words.length + 2];
        all[0] = words[0];
        all[1] = "--control";
        all[2] = control;
        System.arraycopy(words, 1, all, 3, words.length - 1);
        return Ran.of(all);
    }

    @Test
    void memoryOfAllVmsIsOneTable() throws Exception {
        MemDriver driver = vms.attachMemory(0, vms.ram(256 * MIB));
        assertThat(run("mem", "web", "m0", "64M").out()).isEmpty();
        driver.plug(ADDRESS, 32);
        Ran ran = run("vms", "--memory");
        assertThat(ran.err()).isEmpty();
        assertThat(ran.out()).isEqualTo("""
            VM   DEVICE  NODE      ADDRESS  BLOCK     SIZE  REQUESTED  PLUGGED  JOB         WHY                  GUARD
            db   big        -  0x100000000  1 MiB   64 MiB        0 B      0 B  -           -                    -
            web  m0         1  0x100000000  2 MiB  256 MiB     64 MiB   64 MiB  done        -                    -
            web  m1         -  0x110000000  4 MiB  128 MiB      8 MiB      0 B  stalled 0%  no VMM is connected  -
            """);
    }

    @Test
    void theOnlyDeviceNeedsNoName() throws Exception {
        Ran first = run("mem", "db", "16M");
        assertThat(first.code()).isZero();
        assertThat(first.err().strip())
                .isEqualTo("exomem: no VMM is connected; the size is requested when one" + " connects");
        assertThat(run("mem", "db", "+16M").code()).isZero();
        assertThat(run("mem", "db").out()).contains("big").contains("32 MiB").doesNotContain("web");
        assertThat(run("mem", "--", "db", "-8M").code()).isZero();
        assertThat(run("mem", "db", "big").out()).contains("24 MiB");
    }

    @Test
    void sizesMayBeNegativeWithoutMoreAdo() {
        assertThat(run("mem", "db", "48M").code()).isZero();
        assertThat(run("mem", "db", "-8M").code()).isZero();
        assertThat(run("mem", "db", "big", "-8M").code()).isZero();
        assertThat(run("mem", "db", "--json", "-8M").code()).isZero();
        assertThat(run("mem", "db").out()).contains("24 MiB");
    }

    @Test
    void aDeviceWithoutANameIsNotFound() {
        Ran ran = run("mem", "db", "");
        assertThat(ran.code()).isEqualTo(ExitCode.USAGE);
        assertThat(ran.err()).startsWith("exomem: DEVICE is empty");
    }

    @Test
    void oneOfSeveralDevicesMustBeNamed() {
        assertThat(run("mem", "web", "+16M").err().strip())
                .isEqualTo("exomem: VM \"web\" has several memory devices; name one of m0, m1");
        Ran ran = run("mem", "web", "16M");
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).contains("there are m0, m1");
        assertThat(run("mem", "web").out().lines()).hasSize(3);
    }

    @Test
    void waitingEndsWhenTheGuestHasGotThere() throws Exception {
        MemDriver driver = vms.attachMemory(0, vms.ram(256 * MIB));
        CompletableFuture<Void> guest = CompletableFuture.runAsync(() -> {
            try {
                driver.awaitConfigChange();
                driver.plug(ADDRESS, 4);
                driver.plug(ADDRESS + 8 * MIB, 4);
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        });
        Ran ran = run("mem", "web", "m0", "16M", "--wait");
        guest.join();
        assertThat(ran.err()).isEmpty();
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).contains("16 MiB   16 MiB  done");
    }

    @Test
    void waitingInVainSaysWhyAndEndsWithItsOwnExitCode() {
        Ran ran = run("mem", "db", "16M", "--wait", "--timeout", "0");
        assertThat(ran.code()).isEqualTo(ExitCode.TIMED_OUT);
        assertThat(ran.err().strip())
                .isEqualTo("exomem: no progress for 0 s: 0 B of 16 MiB are plugged, no VMM is connected; it continues"
                        + " when it can");
    }

    @Test
    void cancelLeavesTheGuestAsItIs() throws Exception {
        MemDriver driver = vms.attachMemory(0, vms.ram(256 * MIB));
        run("mem", "web", "m0", "64M");
        driver.plug(ADDRESS, 3);
        Ran ran = run("mem", "web", "m0", "--cancel");
        assertThat(ran.err()).isEmpty();
        assertThat(ran.out()).contains("6 MiB    6 MiB  cancelled");
        assertThat(driver.config().requestedSize()).isEqualTo(6 * MIB);
        assertThat(run("mem", "web", "m0", "--cancel").err()).contains("has already ended");
        assertThat(run("mem", "db", "--cancel").err()).contains("no resize was requested yet");
    }

    @Test
    void resetUnplugs() throws Exception {
        GuestRam ram = vms.ram(256 * MIB);
        MemDriver driver = vms.attachMemory(0, ram);
        run("mem", "web", "m0", "2M");
        driver.plug(ADDRESS, 1);
        Ran ran = run("reset", "web", "m0", "--json");
        assertThat(ran.code()).isZero();
        JsonNode device = Json.parse(ran.out()).path(0).path("data");
        assertThat(device.path("size").asLong()).isZero();
        assertThat(run("reset", "db").code()).isZero();
        assertThat(run("reset", "nobody").err().strip())
                .isEqualTo("exomem: there is no VM \"nobody\"; there are db, web");
    }

    @Test
    void wrongSizesAreExplained() {
        assertThat(run("mem", "db", "100M").err()).contains("100 MiB is not from 0 to 64 MiB");
        assertThat(run("mem", "db", "1.5M").err()).contains("1.5 MiB is not a multiple of the block size, 1 MiB");
        assertThat(run("mem", "db", "12X").code()).isEqualTo(ExitCode.USAGE);
        assertThat(run("mem", "--", "db", "-1M").code()).isEqualTo(ExitCode.USAGE);
        assertThat(run("mem", "db", "big", "1M", "--cancel").code()).isEqualTo(ExitCode.USAGE);
        assertThat(run("mem", "db", "small").err().strip())
                .isEqualTo("exomem: VM \"db\" has no memory device \"small\"; there are big");
        assertThat(run("mem", "nobody", "1M").err().strip())
                .isEqualTo("exomem: there is no VM \"nobody\"; there are db, web");
        assertThat(run("mem", "db", "16M").code()).isZero();
        assertThat(run("mem", "db", "-17M").err().strip())
                .isEqualTo("exomem: VM \"db\": the last requested size is 16 MiB, which can't be reduced by 17 MiB");
    }

    @Test
    void vmWithoutBalloonIsListedToo() {
        assertThat(run("vms").out()).containsPattern("web +waiting +- +- +- +[^ ]+mem0, [^ ]+mem1\\n");
    }
}
