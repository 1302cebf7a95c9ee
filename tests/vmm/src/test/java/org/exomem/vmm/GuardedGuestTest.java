package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Guarded unplugged memory of a real guest in an unmodified QEMU. */
@RealGuest
final class GuardedGuestTest {
    private static final long MIB = 1L << 20;
    private static final long BOOT = 512 * MIB;
    private static final long REGION = 1024 * MIB;
    private static final long PLUGGED = 260 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    /** Behind the plugged blocks, in the same Linux memory block: no module can map anything further up. */
    private static final long UNPLUGGED = 0x110800000L;

    @TempDir
    Path folder;

    @Test
    @Tag("MEM-GUARD-1")
    @Tag("MEM-GUARD-2")
    @Tag("MEM-GUARD-3")
    @Tag("MEM-GUARD-4")
    @Tag("MEM-GUARD-5")
    void writesAreLostAndReadsGiveZerosAndNeitherCostsMemory() throws IOException {
        try (BackEnd backEnd = backEnd("zero");
                Qemu qemu = guest(backEnd)) {
            MemoryControl memory = backEnd.memory("a", "m0");
            awaitPlugged(memory, PLUGGED, backEnd);
            awaitGuard(memory, backEnd);
            assertThat(backEnd.command("mem", "a")).contains("GUARD").contains("on");
            assertThat(backEnd.control().pollEvent("GUEST_VIOLATION"))
                    .as("a guest that keeps its promise")
                    .isNull();
            qemu.guest().run("memeat fill kept 256 7");

            qemu.guest().run("load reed_solomon");
            use(qemu, UNPLUGGED);
            JsonNode violation =
                    backEnd.control().awaitEvent("GUEST_VIOLATION", LIMIT).data();
            assertThat(violation.path("id").asText()).isEqualTo("m0");
            assertThat(violation.path("action").asText()).isEqualTo("zero");
            assertThat(violation.path("address").asLong()).isBetween(UNPLUGGED, UNPLUGGED + MIB - 1);
            assertThat(memory.guard().path("writes").asLong()).isPositive();
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(qemu.ram(1).allocated())
                            .as("nothing became memory%s", backEnd.output())
                            .isLessThanOrEqualTo(PLUGGED));
            qemu.guest().run("rmmod ramoops");

            long read = 256 * MIB;
            CompletableFuture<Void> dump = CompletableFuture.runAsync(() -> save(qemu, UNPLUGGED, read));
            long most = 0;
            do {
                most = Math.max(most, qemu.ram(1).allocated());
            } while (!dump.isDone());
            dump.join();
            assertThat(memory.guard().path("reads").asLong()).isGreaterThanOrEqualTo(read / 4096);
            assertThat(most).isLessThanOrEqualTo(PLUGGED + 16 * MIB);

            memory.resize(REGION);
            awaitPlugged(memory, REGION, backEnd);
            qemu.guest().run("memeat fill more 512 9");
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(qemu.guest().run("memeat verify more")).startsWith("ok ");
            qemu.guest().run("memeat free more");
            memory.resize(PLUGGED);
            await().atMost(LIMIT).until(() -> memory.plugged() < REGION / 2);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(qemu.ram(1).allocated()).isLessThanOrEqualTo(memory.plugged()));
            assertThat(memory.guard().path("on").asBoolean())
                    .as(backEnd.output())
                    .isTrue();

            assertThat(userfaultfds(qemu)).isEqualTo(1);
            backEnd.terminate();
            assertThat(userfaultfds(qemu)).as("nothing is left behind").isZero();
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    private static long userfaultfds(Qemu qemu) throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc", Long.toString(qemu.pid()), "fd"))) {
            return open.filter(GuardedGuestTest::isUserfaultfd).count();
        }
    }

    private static boolean isUserfaultfd(Path fd) {
        try {
            return Files.readSymbolicLink(fd).toString().equals("anon_inode:[userfaultfd]");
        } catch (IOException e) {
            return false;
        }
    }

    @Test
    @Tag("MEM-GUARD-6")
    void guestThatWritesIsStopped() throws IOException {
        try (BackEnd backEnd = backEnd("stop");
                Qemu qemu = guest(backEnd)) {
            MemoryControl memory = backEnd.memory("a", "m0");
            awaitPlugged(memory, PLUGGED, backEnd);
            awaitGuard(memory, backEnd);
            qemu.guest().run("load reed_solomon");
            CompletableFuture<Void> using = CompletableFuture.runAsync(() -> useUnchecked(qemu, UNPLUGGED));
            JsonNode violation =
                    backEnd.control().awaitEvent("GUEST_VIOLATION", LIMIT).data();
            while (!violation.path("action").asText().equals("stop")
                    || memory.guard().path("writes").asLong() == 0) {
                violation =
                        backEnd.control().awaitEvent("GUEST_VIOLATION", LIMIT).data();
            }
            qemu.qmp().awaitEvent("STOP", LIMIT);
            assertThat(qemu.qmp().execute("query-status").path("status").asText())
                    .isEqualTo("paused");
            assertThat(memory.guard().path("writes").asLong())
                    .as("pages that it came to%s", backEnd.output())
                    .isLessThanOrEqualTo(3);
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(qemu.ram(1).allocated()).isLessThanOrEqualTo(PLUGGED));
            using.cancel(true);
        }
    }

    /** QEMU does not connect again. Its guest continues with its present memory, and must not hang. */
    @Test
    @Tag("MEM-GUARD-7")
    void guestWaitsWhileExomemIsGoneAndGoesOnWhenItIsBack() throws Exception {
        try (BackEnd backEnd = backEnd("zero");
                Qemu qemu = guest(backEnd)) {
            MemoryControl memory = backEnd.memory("a", "m0");
            awaitPlugged(memory, PLUGGED, backEnd);
            awaitGuard(memory, backEnd);
            qemu.guest().run("load reed_solomon");
            ProcessHandle.of(backEnd.pid()).orElseThrow().destroyForcibly();
            await().atMost(LIMIT).until(() -> !backEnd.isAlive());
            assertThat(qemu.guest().run("echo alive")).contains("alive");

            CompletableFuture<Void> using = CompletableFuture.runAsync(() -> useUnchecked(qemu, UNPLUGGED));
            await().during(Duration.ofSeconds(2)).atMost(LIMIT).until(() -> !using.isDone());

            backEnd.restart();
            using.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            JsonNode guard = backEnd.memory("a", "m0").guard();
            assertThat(guard.path("reads").asLong() + guard.path("writes").asLong())
                    .as("a page that it first reads it may write then, as it stays")
                    .isPositive();
            assertThat(qemu.guest().run("echo alive")).contains("alive");
        }
    }

    private BackEnd backEnd(String prevent) throws IOException {
        return BackEnd.start(
                List.of(),
                List.of("a/m0,addr=4G,size=1G,block=4M,requested=260M,violation=prevent,prevent=" + prevent
                        + ",vmm-qmp=" + folder.resolve("qmp")));
    }

    private Qemu guest(BackEnd backEnd) throws IOException {
        return Qemu.start(QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(BOOT)
                .driver("virtio_mem")
                .vhostUserMemory(backEnd.socket("a/m0"), REGION)
                .nodes()
                .arguments("-qmp", "unix:" + folder.resolve("qmp") + ",server=on,wait=off"));
    }

    /**
     * Makes a module use 1 MiB of physical memory that does not belong to it. The module writes a header to each of its
     * records.
     */
    private static void use(Qemu qemu, long address) throws IOException {
        qemu.guest()
                .run("load ramoops mem_address=0x" + Long.toHexString(address)
                        + " mem_size=0x100000 record_size=4096 console_size=0 ftrace_size=0 pmsg_size=0");
    }

    private static void useUnchecked(Qemu qemu, long address) {
        try {
            use(qemu, address);
        } catch (IOException e) {
            // The guest is stopped in the middle of it.
        }
    }

    private void save(Qemu qemu, long address, long size) {
        try {
            qemu.qmp().execute("pmemsave", Map.of("val", address, "size", size, "filename", "/dev/null"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void awaitGuard(MemoryControl memory, BackEnd backEnd) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(memory.guard().path("on").asBoolean())
                        .as(backEnd.output())
                        .isTrue());
    }

    private static void awaitPlugged(MemoryControl memory, long size, BackEnd backEnd) {
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(memory.plugged()).as(backEnd.output()).isEqualTo(size));
    }
}
