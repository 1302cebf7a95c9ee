package org.exomem.vmm;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.CancelToken;
import org.exomem.migration.PageSink;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.WatchedWrites;
import org.exomem.migration.precopy.Destination;
import org.exomem.migration.precopy.GuestControl;
import org.exomem.migration.precopy.MigrationSource;
import org.exomem.migration.precopy.Precopy;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.pages.Pages;

/**
 * A program that moves a guest from one QEMU to another by watching its writes, as exomem does, but with MIG-DIRTY-8 or
 * without. It prints "watching" before it sends, and "prepared" before it stops the guest, and waits each time for a
 * line. At the end it prints "moved". A test can't do that itself: see {@link Attacher}.
 */
final class WatchedMove {
    private WatchedMove() {}

    /**
     * @param arguments the source's process; the files {@code NAME.ram} and {@code NAME.qmp} of the source and of the
     * destination without their endings; whether its writes are known to be marked early
     */
    public static void main(String[] arguments) throws IOException {
        String from = arguments[1];
        String to = arguments[2];
        Path state = Path.of(to + ".state");
        try (QmpVmm source = QmpVmm.connect(Path.of(from + ".qmp"));
                QmpVmm destination = QmpVmm.connect(Path.of(to + ".qmp"));
                MemoryImage image =
                        new MemoryImage(List.of(new ImageFile("ram", SharedFile.open(Path.of(from + ".ram")))));
                WatchedWrites writes =
                        watch(source, Integer.parseInt(arguments[0]), image, Boolean.parseBoolean(arguments[3]));
                Copy copy = new Copy(Path.of(to + ".ram"))) {
            sayAndWait("watching");
            new Precopy(
                            new MigrationSource(image, List.of(writes), List.of(), HintSessions.NONE, control(source)),
                            new Destination(List.of(copy), () -> {}),
                            PrecopyOptions.DEFAULT,
                            progress -> {},
                            new CancelToken())
                    .run();
            source.saveState(state, () -> false);
            destination.loadState(state);
            destination.start();
        } finally {
            Files.deleteIfExists(state);
        }
        System.out.println("moved");
    }

    /** Begins while the guest is stopped, with the rule and without: the test is about the other half of the rule. */
    private static WatchedWrites watch(QmpVmm vmm, int pid, MemoryImage image, boolean early) throws IOException {
        try (ProcessFd process = ProcessFd.open(pid)) {
            vmm.pause();
            return WatchedWrites.begin(
                    pid,
                    Userfaultfd.of(ForeignUserfaultfd.fetch(process).fd(), WatchedWrites.FEATURES),
                    image,
                    early,
                    WatchedWrites.ANY_RATE,
                    System.err::println);
        } finally {
            vmm.goOn(true);
        }
    }

    private static GuestControl control(QmpVmm vmm) {
        return new GuestControl() {
            @Override
            public void prepare() throws IOException {
                sayAndWait("prepared");
            }

            @Override
            public void pause() throws IOException {
                vmm.pause();
            }

            @Override
            public void resume() throws IOException {
                vmm.goOn(true);
            }
        };
    }

    private static void sayAndWait(String word) throws IOException {
        System.out.println(word);
        if (System.in.read() < 0) {
            throw new IOException("the test has ended");
        }
    }

    /** The destination's memory. */
    private static final class Copy implements PageSink, AutoCloseable {
        private final FileChannel file;

        Copy(Path path) throws IOException {
            // A waiting QEMU may have written its ROMs there.
            try (SharedFile ram = SharedFile.open(path)) {
                ram.punchHole(0, ram.size());
            }
            file = FileChannel.open(path, StandardOpenOption.WRITE);
        }

        @Override
        public void pages(long first, MemorySegment content) throws IOException {
            write(first, content.asByteBuffer());
        }

        @Override
        public void zeros(long first, long count) throws IOException {
            for (long page = first; page < first + count; page++) {
                write(page, ByteBuffer.allocate(Pages.SIZE));
            }
        }

        private void write(long page, ByteBuffer bytes) throws IOException {
            long at = Pages.bytes(page);
            while (bytes.hasRemaining()) {
                at += file.write(bytes, at);
            }
        }

        @Override
        public void free(long first, long count) {}

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
