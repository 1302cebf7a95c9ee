package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;

/**
 * A file whose pages are shared memory: a memfd, or a file on tmpfs, hugetlbfs or disk. Owns its descriptor. Safe for use by
 * several threads.
 */
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

    /**
     * Owns an open file from now on.
     *
     * @throws LinuxException if its status can't be read
     */
    public SharedFile(Fd fd) throws LinuxException {
        this.fd = fd;
        this.identity = FileStatus.of(fd);
        this.pageSize = pageSizeOf(fd);
    }

    /**
     * Makes an anonymous file of zeros in memory, sealable, close-on-exec.
     *
     * @throws LinuxException EMFILE, …
     */
    public static SharedFile memfd(String name, long size) throws LinuxException {
        return create(name, size, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }

    /**
     * Opens an existing file for reading and writing.
     *
     * @throws LinuxException ENOENT, …
     */
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

    /**
     * Opens an existing file for reading only: it can't be changed with this object, nor mapped writable.
     *
     * @throws LinuxException ENOENT, …
     */
    public static SharedFile openForReading(Path path) throws LinuxException {
        return owned(openPath(path, O_NONBLOCK | O_CLOEXEC));
    }

    /**
     * Makes a file of zeros, with access for its owner only. A file that can't have that size is removed again.
     *
     * @throws LinuxException EEXIST if the path exists, ENOSPC, …
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
     * Opens a file, or makes it if it does not exist. An empty file becomes {@code size} bytes of zeros.
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

    /**
     * As {@link #memfd}, of huge pages.
     *
     * @throws LinuxException ENOMEM or ENODEV if the host has reserved none of that size
     */
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

    /** A new file gets access for its owner only. */
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

    /** The descriptor; closed with this. */
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

    /**
     * The present result of {@code statx}.
     *
     * @throws LinuxException if the call fails
     */
    public FileStatus status() throws LinuxException {
        return FileStatus.of(fd);
    }

    /**
     * The present size in bytes.
     *
     * @throws LinuxException if the call fails
     */
    public long size() throws LinuxException {
        return FileStatus.of(fd).size();
    }

    /**
     * The bytes of host memory or disk that the file occupies now.
     *
     * @throws LinuxException if the call fails
     */
    public long allocatedBytes() throws LinuxException {
        return FileStatus.of(fd).allocatedBytes();
    }

    /**
     * Sets the size in bytes: new bytes are zeros; removed bytes are lost for all processes that have them mapped.
     *
     * @throws LinuxException ENOSPC, …
     */
    public void truncate(long size) throws LinuxException {
        if (LibC.ftruncate(fd.number(), size) < 0) {
            throw new LinuxException("ftruncate to " + size, fd.toString(), LibC.errno());
        }
    }

    /**
     * Gives the range back to the host; it is zeros afterwards. Offset and length in bytes.
     *
     * @throws LinuxException if the file system refuses
     */
    public void punchHole(long offset, long length) throws LinuxException {
        if (LibC.fallocate(fd.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) < 0) {
            throw new LinuxException(
                    "fallocate(PUNCH_HOLE, offset " + offset + ", length " + length + ")", fd.toString(), LibC.errno());
        }
    }

    /**
     * Allocates the range, so that writing it can't fail for lack of space. Offset and length in bytes.
     *
     * @throws LinuxException ENOSPC, …
     */
    public void allocate(long offset, long length) throws LinuxException {
        if (LibC.fallocate(fd.number(), FALLOC_FL_KEEP_SIZE, offset, length) < 0) {
            throw new LinuxException(
                    "fallocate(offset " + offset + ", length " + length + ")", fd.toString(), LibC.errno());
        }
    }

    /**
     * Seals a memfd against writes forever. That fails while it is mapped writable anywhere, so it shows whether another
     * process still has it mapped.
     *
     * @return false if it is mapped writable, by this process or another one
     * @throws LinuxException for any other reason
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
     * @param into native memory to fill
     * @return the number of bytes; fewer than {@code into} has only at the end of the file
     * @throws LinuxException if the call fails
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
     * Writes bytes to the file. Not for a file of huge pages, which can only be mapped.
     *
     * @param offset of the first in the file, in bytes
     * @param from native memory; all of it is written
     * @throws LinuxException ENOSPC if there is not enough space
     */
    public void write(long offset, MemorySegment from) throws LinuxException {
        long done = 0;
        while (done < from.byteSize()) {
            long count = LibC.pwrite(fd.number(), from.address() + done, from.byteSize() - done, offset + done);
            done += transferred("pwrite", offset + done, count);
        }
        Reference.reachabilityFence(from);
    }

    /** The number of bytes that a call has transferred; 0 if it was interrupted. */
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
     * Makes this file a copy of another one that shares its storage, so that each part takes space once until it is written.
     *
     * @param from a file of the same file system
     * @return false if the file system does not support it, or is not the same
     * @throws LinuxException for any other reason
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
     * Copies bytes of another file without reading them into this process; a network file system may copy them on its
     * server.
     *
     * @param offset of the first in both files, in bytes
     * @param length in bytes
     * @return the number of copied bytes, maybe fewer than requested; -1 if the file systems do not support it
     * @throws LinuxException ENOSPC, …
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

    /**
     * Writes cached data of the file to disk, and returns when that is done.
     *
     * @throws LinuxException EIO, …
     */
    public void sync() throws LinuxException {
        if (LibC.fsync(fd.number()) < 0) {
            throw new LinuxException("fsync", fd.toString(), LibC.errno());
        }
    }

    /**
     * The offset of the first byte of data at or after {@code from}, or -1 if there is none.
     *
     * @throws LinuxException if the call fails
     */
    public long nextData(long from) throws LinuxException {
        return seek(from, SEEK_DATA);
    }

    /**
     * The offset of the first hole at or after {@code from}; the end of the file counts as one.
     *
     * @throws LinuxException if the call fails
     */
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
