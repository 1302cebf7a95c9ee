package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;

/** A file whose pages are shared memory: a memfd, or a file on tmpfs, hugetlbfs or disk. Owns its descriptor. */
public final class SharedFile implements AutoCloseable {
    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0x40;
    private static final int O_EXCL = 0x80;
    private static final int O_CLOEXEC = 0x80000;
    private static final int O_NONBLOCK = 0x800;
    private static final int OWNER_ONLY = 0600;
    private static final int MFD_CLOEXEC = 1;
    private static final int MFD_ALLOW_SEALING = 2;
    private static final int MFD_HUGETLB = 4;
    private static final int MFD_HUGE_SHIFT = 26;
    private static final int FALLOC_FL_KEEP_SIZE = 1;
    private static final int FALLOC_FL_PUNCH_HOLE = 2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_WRITE = 8;
    private static final long FICLONE = 0x40049409L;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final int ENXIO = 6;
    private static final long HUGETLBFS_MAGIC = 0x958458f6L;
    /** The size of a small page in bytes on the hosts that exomem supports. */
    public static final long SMALL_PAGE = 4096;

    private final Fd fd;
    private final FileStatus identity;
    private final long pageSize;

    /** Takes ownership of an open file. */
    public SharedFile(Fd fd) throws LinuxException {
        this.fd = fd;
        this.identity = FileStatus.of(fd);
        this.pageSize = pageSizeOf(fd);
    }

    /** A new anonymous file of zeros in memory, sealable, close-on-exec. */
    public static SharedFile memfd(String name, long size) throws LinuxException {
        return create(name, size, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }

    /** A file that exists in a file system, for reading and writing. */
    public static SharedFile open(Path path) throws LinuxException {
        return owned(openPath(path, O_RDWR | O_CLOEXEC));
    }

    private static SharedFile owned(Fd fd) throws LinuxException {
        try {
            return new SharedFile(fd);
        } catch (LinuxException e) {
            fd.close();
            throw e;
        }
    }

    /** A file that exists in a file system, for reading only: it can't be changed by this, nor mapped writable. */
    public static SharedFile openForReading(Path path) throws LinuxException {
        return owned(openPath(path, O_NONBLOCK | O_CLOEXEC));
    }

    /**
     * A new file of zeros in a file system, readable by its owner only; fails where something of that name is. One that can't have that
     * size is removed again.
     */
    public static SharedFile create(Path path, long size) throws LinuxException {
        Fd fd = openPath(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC);
        try {
            return sized(fd, size);
        } catch (LinuxException e) {
            MemorySegment name = NativeBuffer.ofUtf8(path.toString());
            LibC.unlink(name.address());
            Reference.reachabilityFence(name);
            throw e;
        }
    }

    /**
     * The file of that name, made if there is none; one that is empty becomes {@code size} bytes of zeros.
     *
     * @throws LinuxException EINVAL if it has another size
     */
    public static SharedFile openOrCreate(Path path, long size) throws LinuxException {
        SharedFile file = new SharedFile(openPath(path, O_RDWR | O_CREAT | O_CLOEXEC));
        try {
            long present = file.size();
            if (present == 0) {
                file.truncate(size);
            } else if (present != size) {
                throw new LinuxException(
                        "open", path.toString(), Errno.EINVAL, "it has " + present + " bytes, not " + size);
            }
            return file;
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    /** Like {@link #memfd}, of huge pages; fails with ENOMEM or ENODEV where the host has none of that size reserved. */
    public static SharedFile hugeMemfd(String name, long size, long hugePageSize) throws LinuxException {
        int log2 = Long.numberOfTrailingZeros(hugePageSize);
        return create(name, size, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | (log2 << MFD_HUGE_SHIFT));
    }

    private static SharedFile create(String name, long size, int flags) throws LinuxException {
        MemorySegment text = NativeBuffer.ofUtf8(name);
        int result = LibC.memfd_create(text.address(), flags);
        Reference.reachabilityFence(text);
        return sized(Fd.of(result, "memfd_create", name), size);
    }

    /** A file that is made is readable by its owner only. */
    private static Fd openPath(Path path, int flags) throws LinuxException {
        MemorySegment name = NativeBuffer.ofUtf8(path.toString());
        int result = LibC.open(name.address(), flags, OWNER_ONLY);
        Reference.reachabilityFence(name);
        return Fd.of(result, "open", path.toString());
    }

    private static SharedFile sized(Fd fd, long size) throws LinuxException {
        try {
            SharedFile file = new SharedFile(fd);
            file.truncate(size);
            return file;
        } catch (LinuxException e) {
            fd.close();
            throw e;
        }
    }

    private static long pageSizeOf(Fd fd) throws LinuxException {
        HostFileSystem system = HostFileSystem.of(fd);
        return system.magic() == HUGETLBFS_MAGIC ? system.blockSize() : SMALL_PAGE;
    }

    /** The descriptor itself; closed with this. */
    public Fd fd() {
        return fd;
    }

    /** True if both are the same file, however each was opened: same device and inode (VHU-MEM-7). */
    public boolean isSameFileAs(SharedFile other) {
        return identity.isSameFileAs(other.identity);
    }

    /** Device and inode, for messages. */
    public String identity() {
        return Long.toHexString(identity.device()) + ":" + identity.inode();
    }

    /** The smallest unit in bytes that the file gives back to the host: 4096, or the huge page size on hugetlbfs. */
    public long pageSize() {
        return pageSize;
    }

    /** What {@code statx} says of it, now. */
    public FileStatus status() throws LinuxException {
        return FileStatus.of(fd);
    }

    /** The size in bytes, now. */
    public long size() throws LinuxException {
        return FileStatus.of(fd).size();
    }

    /** The bytes of host memory or disk that the file occupies, now. */
    public long allocatedBytes() throws LinuxException {
        return FileStatus.of(fd).allocatedBytes();
    }

    /** Sets the size in bytes: what is added reads as zeros, what is cut off is gone for everybody who has it mapped. */
    public void truncate(long size) throws LinuxException {
        if (LibC.ftruncate(fd.number(), size) < 0) {
            throw new LinuxException("ftruncate to " + size, fd.toString(), LibC.errno());
        }
    }

    /** Gives the range back to the host; it reads as zeros afterwards. Offset and length in bytes. */
    public void punchHole(long offset, long length) throws LinuxException {
        if (LibC.fallocate(fd.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0) {
            throw new LinuxException(
                    "fallocate(PUNCH_HOLE, offset " + offset + ", length " + length + ")", fd.toString(), LibC.errno());
        }
    }

    /** Allocates the range, so that writing it can't fail for want of room. Offset and length in bytes. */
    public void allocate(long offset, long length) throws LinuxException {
        if (LibC.fallocate(fd.number(), FALLOC_FL_KEEP_SIZE, offset, length) < 0) {
            throw new LinuxException(
                    "fallocate(offset " + offset + ", length " + length + ")", fd.toString(), LibC.errno());
        }
    }

    /**
     * Seals a memfd against writes for ever, which nobody can do while it is mapped writable anywhere: so this tells whether
     * somebody else still has it mapped.
     *
     * @return false if it is mapped writable, by this process or another one
     */
    public boolean sealAgainstWrites() throws LinuxException {
        if (LibC.fcntl(fd.number(), F_ADD_SEALS, F_SEAL_WRITE) >= 0) {
            return true;
        }
        int errno = LibC.errno();
        if (errno == Errno.EBUSY) {
            return false;
        }
        throw new LinuxException("fcntl(F_ADD_SEALS)", fd.toString(), errno);
    }

    /**
     * Reads bytes of the file, up to its end.
     *
     * @param offset of the first in the file, in bytes
     * @param into native memory that is filled
     * @return how many bytes were read: less than were wanted only at the end of the file
     */
    public long read(long offset, MemorySegment into) throws LinuxException {
        long done = 0;
        while (done < into.byteSize()) {
            long count = LibC.pread(fd.number(), into.address() + done, into.byteSize() - done, offset + done);
            if (count == 0) {
                break;
            }
            done += transferred("pread", offset + done, count);
        }
        Reference.reachabilityFence(into);
        return done;
    }

    /**
     * Writes bytes to the file; not to one of huge pages, which can only be mapped.
     *
     * @param offset of the first in the file, in bytes
     * @param from native memory, all of which is written
     * @throws LinuxException ENOSPC if there is no room for all of it
     */
    public void write(long offset, MemorySegment from) throws LinuxException {
        long done = 0;
        while (done < from.byteSize()) {
            long count = LibC.pwrite(fd.number(), from.address() + done, from.byteSize() - done, offset + done);
            done += transferred("pwrite", offset + done, count);
        }
        Reference.reachabilityFence(from);
    }

    /** What a call that transfers bytes has done; 0 if it was interrupted. */
    private long transferred(String call, long offset, long count) throws LinuxException {
        if (count >= 0) {
            return count;
        }
        int errno = LibC.errno();
        if (errno == Errno.EINTR) {
            return 0;
        }
        throw new LinuxException(call + "(offset " + offset + ")", fd.toString(), errno);
    }

    /**
     * Makes all of this file the content of another one that shares its storage, so that each part takes room once until it is written.
     *
     * @param from a file of the same file system
     * @return false if the file system can't do so, or is not the same
     */
    public boolean cloneOf(SharedFile from) throws LinuxException {
        if (LibC.ioctl(fd.number(), FICLONE, from.fd.number()) >= 0) {
            return true;
        }
        int errno = LibC.errno();
        if (errno == Errno.EOPNOTSUPP || errno == Errno.EXDEV || errno == Errno.ENOTTY || errno == Errno.EINVAL) {
            return false;
        }
        throw new LinuxException("ioctl(FICLONE)", fd.toString(), errno);
    }

    /**
     * Copies bytes of another file without taking them into this process, which a network file system may do on its server.
     *
     * @param offset of the first in both files, in bytes
     * @return how many bytes were copied, maybe fewer than were wanted; -1 if the file systems can't do so
     */
    public long copyRange(SharedFile from, long offset, long length) throws LinuxException {
        MemorySegment offsets = NativeBuffer.ofSize(2L * Long.BYTES);
        offsets.set(JAVA_LONG, 0, offset);
        offsets.set(JAVA_LONG, Long.BYTES, offset);
        long count = LibC.copy_file_range(
                from.fd.number(), offsets.address(), fd.number(), offsets.address() + Long.BYTES, length, 0);
        if (count < 0) {
            int errno = LibC.errno();
            Reference.reachabilityFence(offsets);
            if (errno == Errno.EOPNOTSUPP || errno == Errno.EXDEV || errno == Errno.EINVAL || errno == Errno.ENOSYS) {
                return -1;
            }
            throw new LinuxException("copy_file_range(offset " + offset + ")", fd.toString(), errno);
        }
        return count;
    }

    /** Writes to disk what is only in memory of the file, and returns when it is there. */
    public void sync() throws LinuxException {
        if (LibC.fsync(fd.number()) < 0) {
            throw new LinuxException("fsync", fd.toString(), LibC.errno());
        }
    }

    /** The offset of the first byte of data at or after {@code from}, or -1 if there is none. */
    public long nextData(long from) throws LinuxException {
        return seek(from, SEEK_DATA);
    }

    /** The offset of the first hole at or after {@code from}; the end of the file counts as one. */
    public long nextHole(long from) throws LinuxException {
        return seek(from, SEEK_HOLE);
    }

    private long seek(long from, int whence) throws LinuxException {
        long found = LibC.lseek(fd.number(), from, whence);
        if (found < 0) {
            int errno = LibC.errno();
            if (errno == ENXIO) {
                return -1;
            }
            throw new LinuxException("lseek", fd.toString(), errno);
        }
        return found;
    }

    @Override
    public void close() {
        fd.close();
    }

    @Override
    public String toString() {
        return fd.description();
    }
}
