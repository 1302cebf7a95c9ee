package org.exomem.backend.pages;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.vm.HintAction;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmmProcesses;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.embedded.EmbeddedOptions.Hints;
import org.exomem.linux.Fd;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A VMM with a small migration engine of its own copies a guest by the rules of spec/pages.md. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class PagesWithVmmTest {
    private static final VarHandle WORD = JAVA_LONG.varHandle();
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 96 * MIB;
    private static final int PAGES = (int) (MEMORY / 4096);

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(names = {"HONEST", "LYING"})
    @Tag("PAG-USE-1")
    @Tag("PAG-USE-2")
    @Tag("PAG-USE-3")
    @Tag("PAG-USE-4")
    @Tag("PAG-USE-5")
    @Tag("PAG-USE-6")
    void pagesThatAreExcusedAreNeededByNobody(Hints hints) throws Exception {
        Path balloon = folder.resolve("balloon");
        VmConfig config = new VmConfig("web", Optional.of(ServeConfig.balloon("vm=web,socket=" + balloon)), List.of());
        EmbeddedOptions options = EmbeddedOptions.of(folder.resolve("ram"), MEMORY, folder.resolve("qmp"))
                .withLog(folder.resolve("log"))
                .withHints(hints)
                .withBalloon(balloon);
        try (ServedVm vm = ServedVm.start(
                        config, Optional.empty(), event -> {}, (vmm, failed) -> {}, VmmProcesses.NONE, Long.MAX_VALUE);
                EmbeddedGuest guest = EmbeddedGuest.start(options);
                PageReader reader = subscribe(vm);
                Engine engine = new Engine(options.ram(), folder.resolve("log"), vm, reader)) {
            guest.work(80 * MIB, 60 * MIB);
            guest.busy(4000, 1000, 0, false);
            for (int round = 0; round < 4; round++) {
                engine.round(true);
            }
            guest.stop();
            engine.round(false);
            engine.giveBack();
            assertThat(guest.verify()).isEmpty();
            assertThat(engine.excused).isGreaterThan(20 * MIB / 4096);
        }
    }

    private PageReader subscribe(ServedVm vm) throws IOException {
        Path socket = folder.resolve("pages");
        Fd listening = UnixSockets.listen(socket, 1);
        try {
            vm.sharePages(socket).join();
            return new PageReader(listening);
        } finally {
            listening.close();
        }
    }

    /** Copies the pages that are still to be sent, except free ones. */
    private static final class Engine implements AutoCloseable {
        private final ServedVm vm;
        private final PageReader reader;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment copy = arena.allocate(MEMORY);
        private final Mapping ram;
        private final Mapping log;
        private final BitSet owed = new BitSet();
        private long excused;

        Engine(Path ram, Path log, ServedVm vm, PageReader reader) throws IOException {
            this.vm = vm;
            this.reader = reader;
            try (SharedFile file = SharedFile.open(ram)) {
                this.ram = Mapping.of(file, 0, MEMORY);
            }
            try (SharedFile file = SharedFile.open(log)) {
                this.log = Mapping.of(file, 0, file.size() & -Long.BYTES);
            }
            owed.set(0, PAGES);
        }

        void round(boolean runs) throws IOException {
            sync();
            reader.settle();
            if (runs) {
                vm.hint(HintAction.START).join();
                awaitHints();
            }
            for (int page = owed.nextSetBit(0); page >= 0; page = owed.nextSetBit(page + 1)) {
                if (reader.isFree(page)) {
                    excused++;
                } else {
                    MemorySegment.copy(ram.segment(), page * 4096L, copy, page * 4096L, 4096);
                }
            }
            owed.clear();
        }

        private void sync() {
            for (long at = 0; at < log.segment().byteSize(); at += Long.BYTES) {
                long bits = (long) WORD.getAndSetAcquire(log.segment(), at, 0L);
                for (; bits != 0; bits &= bits - 1) {
                    owed.set((int) (at * 8 + Long.numberOfTrailingZeros(bits)));
                }
            }
        }

        /** Waits until no new hint has come for some time. */
        private void awaitHints() throws IOException {
            for (int i = 0; i < 50 && reader.awaitChange(Duration.ofMillis(60)); i++) {
                // There may be more.
            }
        }

        /** Replaces the guest's memory by the copy. */
        void giveBack() {
            ram.segment().copyFrom(copy);
        }

        @Override
        public void close() {
            ram.close();
            log.close();
            arena.close();
        }
    }
}
