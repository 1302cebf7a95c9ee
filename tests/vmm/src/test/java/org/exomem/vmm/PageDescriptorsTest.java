package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.BitSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The page descriptors that exomem's driver reports are right at any pause: free pages can be overwritten, and the
 * guest loses nothing. The descriptors are read from the guest's RAM without the device. A warning of the kernel ends
 * the guest and so fails the test.
 */
@RealGuest
final class PageDescriptorsTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 512 * MIB;
    private static final int PAGE = 4096;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    /** Pauses of the guest under allocation stress; more with {@code -Dexomem.rounds=10000}. */
    private static final int PAUSES = Math.max(20, Integer.getInteger("exomem.rounds", 100) / 10);

    private static final String FOLDER = "/sys/bus/virtio/devices/virtio0/free_page_bitmap";

    /** Takes memory, writes to it, and checks its content; records a failure. */
    private static final String STRESS = "(i=9; while test ! -e /tmp/end; do i=$((i+1)); memeat fill s 120 $i;"
            + " memeat verify s | grep -q '^ok ' || echo $i >> /tmp/lost; memeat free s;"
            + " dd if=/dev/zero of=/tmp/file bs=1M count=32; rm /tmp/file; done; touch /tmp/ended)"
            + " > /dev/null 2>&1 &";

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    @Tag("FPB-DESC-1")
    @Tag("FPB-DESC-2")
    void freePagesOfAPausedGuestCanBeOverwritten(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            qemu.guest().run("memeat fill kept 64 9");
            qemu.guest().run("memeat fill gone 128 1 && memeat free gone");
            ToldInRam told = ToldInRam.find(qemu.ram());
            MemInfo memory = qemu.guest().memory();
            assertThat(told(qemu) * PAGE).isGreaterThan(memory.total() * 9 / 10);
            awaitPages(told, told(qemu));
            assertThat(backEnd.balloon("a").bitmap().path("descriptors").asLong())
                    .isEqualTo(told(qemu) * PAGE);

            pauseWithNoLockHeld(qemu, told);
            BitSet free = told.free();
            assertThat((long) free.cardinality() * PAGE).isGreaterThan(memory.free() * 99 / 100);
            overwrite(qemu.ram(), free);
            qemu.qmp().execute("cont");

            assertThat(qemu.guest().run("memeat fill all 300 3 && memeat verify all"))
                    .contains("ok ");
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            // The driver has the request buffer available only then.
            backEnd.balloon("a").askForFreePages();
            await().atMost(LIMIT)
                    .until(() ->
                            backEnd.balloon("a").bitmap().path("state").asText().equals("complete"));
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    @Tag("FPB-DESC-2")
    @Tag("FPB-DESC-4")
    void nothingIsLostAtAnyPauseWhileMemoryIsTakenAndFreed(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux).arguments("-smp", "2"))) {
            qemu.guest().run("memeat fill kept 64 9");
            ToldInRam told = ToldInRam.find(qemu.ram());
            qemu.guest().run(STRESS);
            int spoke = 0;
            for (int i = 0; i < PAUSES; i++) {
                qemu.qmp().execute("stop");
                BitSet free = told.free();
                spoke += free.isEmpty() ? 0 : 1;
                overwrite(qemu.ram(), free);
                qemu.qmp().execute("cont");
                // The guest runs for a varying moment.
                assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            }
            assertThat(spoke).isGreaterThan(PAUSES / 2);
            qemu.guest().run("touch /tmp/end; while test ! -e /tmp/ended; do sleep 0.1; done", LIMIT);
            assertThat(qemu.guest().run("cat /tmp/lost 2> /dev/null; echo end")).isEqualTo("end\n");
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    @Tag("FPB-DESC-3")
    void descriptorsThatHugePagesHaveMovedSayNothing(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux).kernelArgument("hugetlb_free_vmemmap=on"))) {
            qemu.guest().run("memeat fill kept 64 9");
            ToldInRam told = ToldInRam.find(qemu.ram());
            long before = told(qemu);
            awaitPages(told, before);
            qemu.guest().run("echo 8 > /proc/sys/vm/nr_hugepages");
            assertThat(qemu.guest().run("cat /proc/sys/vm/nr_hugepages").strip())
                    .isEqualTo("8");

            qemu.qmp().execute("stop");
            assertThat(told.pages()).isLessThan(before);
            overwrite(qemu.ram(), told.free());
            qemu.qmp().execute("cont");
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            qemu.guest().run("echo 0 > /proc/sys/vm/nr_hugepages");
            assertThat(qemu.guest().run("memeat fill all 300 3 && memeat verify all"))
                    .contains("ok ");
        }
    }

    @ParameterizedTest
    @MethodSource("org.exomem.vmm.LinuxDriverTest#newest")
    @Tag("FPB-DESC-3")
    void descriptorsSayNothingWhenTheDriverHasGoneAndItTellsThemAgain(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            ToldInRam first = ToldInRam.find(qemu.ram());
            long pages = told(qemu);
            awaitPages(first, pages);
            qemu.guest().run("rmmod exomem_balloon");
            assertThat(first.pages()).isZero();
            qemu.guest().run("load exomem_balloon");
            await().atMost(LIMIT).untilAsserted(() -> assertThat(told(qemu)).isEqualTo(pages));
            assertThat(first.pages()).isZero();
            awaitPages(ToldInRam.find(qemu.ram()), pages);
        }
    }

    /** A device that is unplugged for a move: its driver stays, and so do its reports. */
    @ParameterizedTest
    @MethodSource("org.exomem.vmm.LinuxDriverTest#newest")
    @Tag("FPB-DESC-12")
    void descriptorsGoOnWhenTheDeviceIsUnplugged(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            ToldInRam told = ToldInRam.find(qemu.ram());
            long pages = told(qemu);
            awaitPages(told, pages);
            qemu.guest().run("echo virtio0 > /sys/bus/virtio/drivers/exomem_balloon/unbind; test ! -e " + FOLDER);
            awaitPages(told, pages);
        }
    }

    @ParameterizedTest
    @MethodSource("org.exomem.vmm.LinuxDriverTest#newest")
    @Tag("FPB-DESC-3")
    void descriptorsOfMemoryThatGoesOfflineSayNothingAnyMore(GuestImage.Linux linux) throws IOException {
        // A memory block without anything unmovable: the kernel is below it.
        String offline = "for m in /sys/devices/system/memory/memory*; do"
                + " grep -q Movable $m/valid_zones && echo offline > $m/state && basename $m && exit; done 2> /dev/null;"
                + " dmesg | tail; exit 1";
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(
                        backEnd,
                        guest(backEnd, linux).kernelArgument("movablecore=320M").kernelArgument("nokaslr"))) {
            ToldInRam told = ToldInRam.find(qemu.ram());
            long pages = told(qemu);
            awaitPages(told, pages);
            assertThat(pages * PAGE).isGreaterThan(qemu.guest().memory().total() * 9 / 10);
            String block = qemu.guest().run(offline).strip();
            assertThat(told.pages()).isZero();
            qemu.guest().run("echo online > /sys/devices/system/memory/" + block + "/state");
            assertThat(told.pages()).isZero();
            qemu.guest().run("rmmod exomem_balloon && load exomem_balloon");
            await().atMost(LIMIT).untilAsserted(() -> assertThat(told(qemu)).isEqualTo(pages));
        }
    }

    @ParameterizedTest
    @MethodSource("org.exomem.vmm.LinuxDriverTest#newest")
    @Tag("FPB-DESC-3")
    void descriptorsOfASuspendedGuestSayNothing(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux).suspendable())) {
            ToldInRam told = ToldInRam.find(qemu.ram());
            long pages = told(qemu);
            awaitPages(told, pages);
            qemu.guest()
                    .run(
                            "echo deep > /sys/power/mem_sleep; (sleep 0.1; echo mem > /sys/power/state) > /dev/null 2>&1 &");
            qemu.qmp().awaitEvent("SUSPEND", LIMIT);
            assertThat(told.pages()).isZero();
            qemu.qmp().execute("system_wakeup");
            awaitPages(told, pages);
            await().atMost(LIMIT).untilAsserted(() -> assertThat(told(qemu)).isEqualTo(pages));
        }
    }

    @ParameterizedTest
    @MethodSource("org.exomem.vmm.LinuxDriverTest#newest")
    @Tag("FPB-DESC-3")
    void descriptorsSayNothingWhenTheKernelHasEnded(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a")) {
            for (String end : new String[] {"halt -f", "echo c > /proc/sysrq-trigger"}) {
                try (Qemu qemu = start(backEnd, guest(backEnd, linux))) {
                    ToldInRam told = ToldInRam.find(qemu.ram());
                    awaitPages(told, told(qemu));
                    // A kernel that panics does not reboot.
                    qemu.guest().run("echo 0 > /proc/sys/kernel/panic; (sleep 0.1; " + end + ") > /dev/null 2>&1 &");
                    await().atMost(LIMIT).until(() -> told.pages() == 0);
                    assertThat(qemu.isAlive()).isTrue();
                }
            }
        }
    }

    private static QemuCommand guest(BackEnd backEnd, GuestImage.Linux linux) {
        return QemuCommand.of(GuestImage.of(linux))
                .ram(RAM)
                .driver("exomem_balloon")
                .vhostUserBalloon(backEnd.socket("a"))
                .kernelArgument("panic_on_warn=1")
                .kernelArgument("oops=panic");
    }

    /** Starts a guest whose driver has reported everything. */
    private static Qemu start(BackEnd backEnd, QemuCommand command) throws IOException {
        Qemu qemu = BalloonedGuestTest.start(backEnd, command);
        long[] last = {-1};
        await().atMost(LIMIT).until(() -> {
            long before = last[0];
            last[0] = told(qemu);
            return last[0] > 0 && last[0] == before;
        });
        return qemu;
    }

    /**
     * Waits until all guards of that many pages hold. A guard that is a zone's lock may be held for a moment while the
     * guest runs.
     */
    private static void awaitPages(ToldInRam told, long pages) {
        await().atMost(LIMIT).untilAsserted(() -> assertThat(told.pages()).isEqualTo(pages));
    }

    private static void pauseWithNoLockHeld(Qemu qemu, ToldInRam told) throws IOException {
        long pages = told(qemu);
        for (int i = 0; i < 10; i++) {
            qemu.qmp().execute("stop");
            if (told.pages() == pages) {
                return;
            }
            qemu.qmp().execute("cont");
        }
        throw new IOException("a zone's lock is held at each of ten pauses");
    }

    private static long told(Qemu qemu) throws IOException {
        return Long.parseLong(qemu.guest().run("cat " + FOLDER + "/descriptors").strip());
    }

    private static void overwrite(HostMemory ram, BitSet pages) throws IOException {
        byte[] garbage = new byte[4 << 20];
        Arrays.fill(garbage, (byte) 0xa5);
        for (int from = pages.nextSetBit(0); from >= 0; ) {
            int to = Math.min(pages.nextClearBit(from), from + garbage.length / PAGE);
            ram.write((long) from * PAGE, Arrays.copyOf(garbage, (to - from) * PAGE));
            from = pages.nextSetBit(to);
        }
    }
}
