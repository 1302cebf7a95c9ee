package org.exomem.linux.process;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.exomem.linux.Errno;

/**
 * Asks the kernel whether processes have a shared mapping of one of some files, without the text of all their mappings: some
 * microseconds for each process ({@code PROCMAP_QUERY}, Linux 6.11). For one thread.
 *
 * <pre>
 *  0 size    8 flags   16 address asked for
 * 24 from   32 to      40 flags   48 page size   56 offset   64 inode   72 major, minor
 * </pre>
 */
final class MappingQuery {
    private static final long PROCMAP_QUERY = 0xc0686611L;
    private static final int SIZE = 104;
    private static final int FLAGS = 8;
    private static final int ADDRESS = 16;
    private static final int TO = 32;
    private static final int INODE = 64;
    private static final int MAJOR = 72;
    private static final int MINOR = 76;
    private static final long SHARED = 8;
    private static final long COVERING_OR_NEXT = 0x10;
    private static final long FILE_BACKED = 0x20;
    private static final int O_RDONLY = 0;
    private static final int O_CLOEXEC = 0x80000;
    private static final int PATH_SIZE = 64;
    private static final int HEXADECIMAL = 16;

    private final List<Wanted> wanted;
    private final MemorySegment query = Arena.ofAuto().allocate(SIZE, Long.BYTES);
    private final MemorySegment path = Arena.ofAuto().allocate(PATH_SIZE);

    /** The kernel's answer for a process. */
    enum Answer {
        YES,
        /** Also if it has ended, or may not be examined. */
        NO,
        /** The kernel is too old. */
        UNKNOWN
    }

    private record Wanted(int major, int minor, long inode) {
        private static Wanted of(String file) {
            String[] words = file.split("[: ]");
            return new Wanted(
                    Integer.parseInt(words[0], HEXADECIMAL),
                    Integer.parseInt(words[1], HEXADECIMAL),
                    Long.parseUnsignedLong(words[2]));
        }
    }

    /** @param files device and inode in the format of {@code maps} */
    MappingQuery(List<String> files) {
        this.wanted = files.stream().map(Wanted::of).toList();
        query.set(JAVA_LONG, 0, SIZE);
        query.set(JAVA_LONG, FLAGS, SHARED | COVERING_OR_NEXT | FILE_BACKED);
    }

    /** @param process its id */
    Answer shares(String process) {
        byte[] name = ("/proc/" + process + "/maps\0").getBytes(StandardCharsets.US_ASCII);
        MemorySegment.copy(name, 0, path, JAVA_BYTE, 0, name.length);
        int maps = ProcessCalls.open(path.address(), O_RDONLY | O_CLOEXEC, 0);
        if (maps < 0) {
            return Answer.NO;
        }
        try {
            return shares(maps);
        } finally {
            ProcessCalls.close(maps);
        }
    }

    private Answer shares(int maps) {
        for (long at = 0; ; at = query.get(JAVA_LONG, TO)) {
            query.set(JAVA_LONG, ADDRESS, at);
            if (ProcessCalls.ioctl(maps, PROCMAP_QUERY, query.address()) < 0) {
                int errno = ProcessCalls.errno();
                if (errno != Errno.EINTR) {
                    // ENOENT after the last one, ESRCH if it has ended.
                    return errno == Errno.ENOTTY ? Answer.UNKNOWN : Answer.NO;
                }
                query.set(JAVA_LONG, TO, at);
            } else if (wanted.contains(
                    new Wanted(query.get(JAVA_INT, MAJOR), query.get(JAVA_INT, MINOR), query.get(JAVA_LONG, INODE)))) {
                return Answer.YES;
            }
        }
    }
}
