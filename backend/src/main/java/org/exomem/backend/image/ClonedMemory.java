package org.exomem.backend.image;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.exomem.images.copy.SparseCopy;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.OwnPages;

/**
 * One RAM file of a clone that is saved: what the template has, and over it what the clone has written. The first is copied while the
 * guest runs, as nobody writes to a template; the second while it is paused.
 */
final class ClonedMemory {
    private static final int PIECE = 1 << 20;

    private final int pid;
    private final Path template;
    private final Path into;

    /**
     * @param pid of the clone's VMM
     * @param template its template's RAM file
     * @param into the file that is to be made
     */
    ClonedMemory(int pid, Path template, Path into) {
        this.pid = pid;
        this.template = template;
        this.into = into;
    }

    /** While the guest runs. */
    void copyTemplate(SparseCopy.Progress progress) throws IOException {
        try (SharedFile from = SharedFile.openForReading(template)) {
            SparseCopy.copy(from, into, null, progress);
        }
    }

    /** While the guest is paused. */
    void addOwn() throws IOException {
        String file;
        try (SharedFile from = SharedFile.openForReading(template)) {
            file = MappedFiles.nameOf(from);
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);
        try (OwnPages own = OwnPages.of(pid);
                FileChannel out = FileChannel.open(into, StandardOpenOption.WRITE)) {
            for (Area area : MappedFiles.privateOf(pid)) {
                if (area.file().equals(file)) {
                    own.forEach(area.from(), area.length(), (address, length) -> {
                        for (long done = 0; done < length; done += buffer.limit()) {
                            buffer.clear().limit((int) Math.min(PIECE, length - done));
                            own.read(address + done, buffer);
                            buffer.flip();
                            long offset = area.offset() + address - area.from() + done;
                            while (buffer.hasRemaining()) {
                                offset += out.write(buffer, offset);
                            }
                        }
                    });
                }
            }
        }
    }
}
