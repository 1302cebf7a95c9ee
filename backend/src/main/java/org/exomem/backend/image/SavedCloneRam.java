package org.exomem.backend.image;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.exomem.images.copy.SparseCopy;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.MappedFiles;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.linux.process.OwnPages;

/**
 * One RAM file of a clone that is saved. It consists of the template's data, the pages that the clone has written over it,
 * and in some places the content of the clone's own file in place of both (IMG-CLONE-5). The template's data is copied while
 * the guest runs, as no process writes to a template. The rest is copied while the guest is paused.
 */
final class SavedCloneRam {
    private static final int PIECE = 1 << 20;

    private final int pid;
    private final Path template;
    private final SharedFile own;
    private final Path into;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);

    /**
     * @param pid of the clone's VMM
     * @param template its template's RAM file
     * @param own the clone's own file; it remains the caller's
     * @param into the file that is to be made
     */
    SavedCloneRam(int pid, Path template, SharedFile own, Path into) {
        this.pid = pid;
        this.template = template;
        this.own = own;
        this.into = into;
    }

    /**
     * Copies the template's data. Call it while the guest runs.
     *
     * @throws IOException if a file can't be read or written
     */
    void copyTemplate(SparseCopy.Progress progress) throws IOException {
        try (SharedFile from = SharedFile.openForReading(template)) {
            SparseCopy.copy(from, into, null, progress);
        }
    }

    /**
     * Adds the clone's own pages. Call it while the guest is paused.
     *
     * @throws IOException if a file or the VMM's memory can't be read, or the copy can't be written
     */
    void addOwn() throws IOException {
        try (SharedFile from = SharedFile.openForReading(template);
                SharedFile out = SharedFile.open(into)) {
            addPrivate(MappedFiles.nameOf(from), out);
            addShared(out);
        }
    }

    private void addPrivate(String file, SharedFile out) throws IOException {
        try (OwnPages written = OwnPages.of(pid)) {
            for (Area area : MappedFiles.privateOf(pid)) {
                if (area.file().equals(file)) {
                    written.forEach(area.from(), area.length(), (address, length) -> {
                        for (long done = 0; done < length; done += PIECE) {
                            buffer.clear().limit((int) Math.min(PIECE, length - done));
                            written.read(address + done, buffer);
                            out.write(
                                    area.offset() + address - area.from() + done,
                                    MemorySegment.ofBuffer(buffer.flip()));
                        }
                    });
                }
            }
        }
    }

    private void addShared(SharedFile out) throws IOException {
        for (Area area : MappedFiles.of(pid).areas()) {
            if (area.file().equals(MappedFiles.nameOf(own))) {
                out.punchHole(area.offset(), area.length());
                long end = area.offset() + area.length();
                for (long at = own.nextData(area.offset()); at >= 0 && at < end; at = own.nextData(at)) {
                    long hole = Math.min(end, own.nextHole(at));
                    copy(at, hole - at, out);
                    at = hole;
                }
            }
        }
        // After a file is truncated, its end looks like a hole.
        if (own.size() < out.size()) {
            throw new IOException(own + " was truncated");
        }
    }

    private void copy(long offset, long length, SharedFile out) throws IOException {
        for (long done = 0; done < length; done += PIECE) {
            buffer.clear().limit((int) Math.min(PIECE, length - done));
            MemorySegment piece = MemorySegment.ofBuffer(buffer);
            if (own.read(offset + done, piece) < piece.byteSize()) {
                throw new IOException(own + " was truncated");
            }
            out.write(offset + done, piece);
        }
    }
}
