package org.exomem.images.ram;

import java.nio.file.Path;
import java.util.Optional;
import org.exomem.linux.Fd;
import org.exomem.linux.HostFileSystem;
import org.exomem.linux.LinuxException;

/** The kind of a RAM file's file system, as far as it matters to a guest. */
public enum FileSystemKind {
    /** Memory of the host. */
    TMPFS("tmpfs"),
    /** Memory of the host, in huge pages. */
    HUGETLBFS("hugetlbfs"),
    /** A disk, cached in the host's memory. */
    DISK("a disk file system"),
    /** Another host, or a process of this one. */
    REMOTE("a network or FUSE file system"),
    /** An unknown file system. */
    OTHER("an unknown file system");

    private final String text;

    FileSystemKind(String text) {
        this.text = text;
    }

    /**
     * The kind of a file's or folder's file system.
     *
     * @throws LinuxException ENOENT if it does not exist
     */
    public static FileSystemKind of(Path path) throws LinuxException {
        return of(HostFileSystem.of(path).magic());
    }

    /**
     * The kind of an open file's file system.
     *
     * @throws LinuxException if it can't be determined
     */
    public static FileSystemKind of(Fd file) throws LinuxException {
        return of(HostFileSystem.of(file).magic());
    }

    /** The kind for a number of {@code statfs(2)}. */
    static FileSystemKind of(long magic) {
        return switch ((int) magic) {
            case 0x01021994 -> TMPFS;
            case 0x958458f6 -> HUGETLBFS;
            // ext2 to ext4, XFS, btrfs, F2FS, overlayfs, bcachefs, ZFS, JFS, NILFS
            case 0x0000ef53,
                    0x58465342,
                    0x9123683e,
                    0xf2f52010,
                    0x794c7630,
                    0xca451a4e,
                    0x2fc12fc1,
                    0x3153464a,
                    0x00003434 -> DISK;
            // NFS, SMB, CIFS, SMB2, Ceph, AFS, 9p, FUSE (and virtiofs), OCFS2, GFS2, Lustre
            case 0x00006969,
                    0x0000517b,
                    0xff534d42,
                    0xfe534d42,
                    0x00c36400,
                    0x5346414f,
                    0x01021997,
                    0x65735546,
                    0x7461636f,
                    0x01161970,
                    0x0bd00bd0 -> REMOTE;
            default -> OTHER;
        };
    }

    /** True if the content is lost when the host restarts. */
    public boolean isMemory() {
        return this == TMPFS || this == HUGETLBFS;
    }

    /** A warning for running a guest from there; empty if it is as fast as memory. */
    public Optional<String> warning(Path folder) {
        return switch (this) {
            case TMPFS, HUGETLBFS -> Optional.empty();
            case DISK ->
                Optional.of(folder
                        + " is on a disk: the kernel writes changed pages of the guest to it in the"
                        + " background, and the guest waits for the disk when the host is short of memory."
                        + " /dev/shm is memory; --any-fs suppresses this warning");
            case REMOTE ->
                Optional.of(folder + " is on " + text
                        + ": any access of a guest may wait for it, and the guest stops if the connection is"
                        + " lost. /dev/shm is memory; --any-fs suppresses this warning");
            case OTHER ->
                Optional.of(folder + " is on " + text
                        + ", so it may be slow. /dev/shm is memory; --any-fs suppresses this warning");
        };
    }

    /**
     * A warning for mapping a file in this process; empty if no access to it can hang.
     *
     * @param what the file or folder, with its path
     */
    public Optional<String> warningIfMapped(String what) {
        return isMemory()
                ? Optional.empty()
                : Optional.of(what + " is on " + text
                        + ", not in memory: when an access to it blocks, this process and all its VMs stop"
                        + " until the access returns");
    }

    @Override
    public String toString() {
        return text;
    }
}
