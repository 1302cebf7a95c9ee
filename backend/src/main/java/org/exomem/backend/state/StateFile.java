package org.exomem.backend.state;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The state of one device in a file: a {@link StateHeader}, then a body that is mapped. The state survives the process
 * however it ends, but not the host: it is not forced to disk (STA-FILE-5). One process at a time uses a file (STA-FILE-2).
 * A file appears only when it is complete (STA-FILE-1).
 */
final class StateFile implements AutoCloseable {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final Logger LOG = LoggerFactory.getLogger(StateFile.class);
    private static final int ZEROS = 1 << 16;
    /** The suffix of files that are being made. */
    private static final String UNFINISHED = ".new";

    private static final Pattern LEFT = Pattern.compile("\\..+\\.state\\.[0-9a-f-]{36}\\.new");
    /**
     * The files that this process has open. Linux drops a process's locks on a file when it closes any descriptor of that
     * file, so a second descriptor must not even be opened.
     */
    private static final Set<Path> OPEN = ConcurrentHashMap.newKeySet();

    private final Path path;
    private final FileChannel channel;
    private final Arena arena = Arena.ofShared();
    private boolean fresh;

    private StateFile(Path path, FileChannel channel) {
        this.path = path;
        this.channel = channel;
    }

    /**
     * Opens the file of a device, or makes one.
     *
     * @param path absolute
     * @param bodyBytes the smallest size of the body, and the size of a new one
     * @param format turns a body of zeros into that of a new device
     * @throws StateFileException if the file is in use, or another device's; the file does not change
     * @throws IOException if the file system refuses
     */
    static StateFile open(Path path, StateHeader header, long bodyBytes, Consumer<MemorySegment> format)
            throws IOException {
        Path real = path.toAbsolutePath().normalize();
        if (!OPEN.add(real)) {
            throw StateFileException.inUseHere(path);
        }
        StateFile file = null;
        try {
            while (file == null) {
                file = Files.exists(path, NOFOLLOW_LINKS)
                        ? existing(path, header, bodyBytes)
                        : create(path, header, bodyBytes, format);
            }
            removeUnfinishedOf(path);
            return file;
        } catch (StateFileException e) {
            throw e;
        } catch (IOException e) {
            throw new StateFileException(path, "it can't be used: " + StateFileException.reason(e), e);
        } finally {
            if (file == null) {
                OPEN.remove(real);
            }
        }
    }

    /** Null if the file was removed meanwhile. */
    private static @Nullable StateFile existing(Path path, StateHeader header, long bodyBytes) throws IOException {
        if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
            throw StateFileException.notPlain(path);
        }
        FileChannel channel;
        try {
            channel = FileChannel.open(path, READ, WRITE, NOFOLLOW_LINKS);
        } catch (NoSuchFileException e) {
            return null;
        }
        try {
            lock(path, channel);
            long size = channel.size();
            if (size < StateHeader.BYTES) {
                throw StateFileException.damaged(
                        path, "it has " + size + " bytes, the header alone has " + StateHeader.BYTES);
            }
            ByteBuffer found = ByteBuffer.allocate(StateHeader.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            while (found.hasRemaining() && channel.read(found, found.position()) > 0) {}
            header.check(path, found);
            if (size < StateHeader.BYTES + bodyBytes) {
                throw StateFileException.damaged(
                        path, "it has " + size + " bytes instead of " + (StateHeader.BYTES + bodyBytes));
            }
            return new StateFile(path, channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /**
     * Makes the file under a name that no other process uses, and links it to its path when it is complete. Null if another
     * process was faster; then the file is looked up again.
     */
    private static @Nullable StateFile create(
            Path path, StateHeader header, long bodyBytes, Consumer<MemorySegment> format) throws IOException {
        Path beside = path.resolveSibling(unfinishedPrefix(path) + UUID.randomUUID() + UNFINISHED);
        FileChannel channel = FileChannel.open(beside, Set.of(CREATE_NEW, READ, WRITE), OWNER_ONLY);
        try {
            lock(path, channel);
            StateFile file = new StateFile(path, channel);
            file.fresh = true;
            // Written, not left as a hole: a store to a page that the disk has no room for would raise a fatal signal.
            file.zero(0, bodyBytes);
            try (Arena making = Arena.ofConfined()) {
                format.accept(file.map(MapMode.READ_WRITE, 0, bodyBytes, making));
            }
            writeAll(channel, header.encode(), 0);
            // STA-FILE-1. Unlike a rename, a link does not replace a file that another process has put there meanwhile.
            Files.createLink(path, beside);
            return file;
        } catch (FileAlreadyExistsException | NoSuchFileException e) {
            channel.close();
            return null;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        } finally {
            Files.deleteIfExists(beside);
        }
    }

    private static String unfinishedPrefix(Path path) {
        return "." + path.getFileName() + ".";
    }

    /**
     * Removes the unfinished files of killed processes. A process that is still making one finds its own file gone, and then
     * this file in use.
     */
    private static void removeUnfinishedOf(Path path) throws IOException {
        String prefix = unfinishedPrefix(path);
        Path folder = Objects.requireNonNull(path.toAbsolutePath().getParent());
        try (DirectoryStream<Path> left = Files.newDirectoryStream(folder, other -> {
            String name = String.valueOf(other.getFileName());
            return name.startsWith(prefix) && name.endsWith(UNFINISHED);
        })) {
            for (Path one : left) {
                Files.deleteIfExists(one);
            }
        }
    }

    /**
     * Removes the unfinished files of killed processes in a folder of state files, for all devices. Files that are being
     * made stay (STA-DIR-3).
     */
    static void removeUnfinished(Path folder) throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(folder, ".*" + UNFINISHED)) {
            for (Path one : left) {
                if (LEFT.matcher(String.valueOf(one.getFileName())).matches() && isNobodys(one)) {
                    Files.deleteIfExists(one);
                }
            }
        }
    }

    private static boolean isNobodys(Path unfinished) {
        try (FileChannel channel = FileChannel.open(unfinished, WRITE, NOFOLLOW_LINKS)) {
            return channel.tryLock() != null;
        } catch (IOException | OverlappingFileLockException e) {
            return false;
        }
    }

    private static void lock(Path path, FileChannel channel) throws IOException {
        try {
            if (channel.tryLock() == null) {
                throw new StateFileException(
                        path,
                        "it is in use by another process. Two processes can't serve one device: end the other"
                                + " process first");
            }
        } catch (OverlappingFileLockException e) {
            // It is the same file under two names.
            throw StateFileException.inUseHere(path);
        }
    }

    Path path() {
        return path;
    }

    /** True if there was no file before. */
    boolean isNew() {
        return fresh;
    }

    /** The present size of the body in bytes. */
    long bodyBytes() throws IOException {
        return channel.size() - StateHeader.BYTES;
    }

    /** Maps a part of the body, which must be in the file, until this is closed. Offset and length in bytes. */
    MemorySegment map(long offset, long length) throws IOException {
        return map(MapMode.READ_WRITE, offset, length, arena);
    }

    /** Maps a private copy of a part, which lives as long as the arena. */
    MemorySegment copy(long offset, long length, Arena trial) throws IOException {
        return map(MapMode.PRIVATE, offset, length, trial);
    }

    private MemorySegment map(MapMode mode, long offset, long length, Arena until) throws IOException {
        if (length > bodyBytes() - offset) {
            throw StateFileException.damaged(
                    path, "it ends at byte " + channel.size() + ", before the end of a part that its header names");
        }
        return channel.map(mode, StateHeader.BYTES + offset, length, until);
    }

    /** Fills a part of the body with zeros, and so allocates its space. Offset and length in bytes. */
    void zero(long offset, long length) throws IOException {
        ByteBuffer zeros = ByteBuffer.allocate((int) Math.min(length, ZEROS));
        long at = 0;
        while (at < length) {
            zeros.clear().limit((int) Math.min(length - at, zeros.capacity()));
            writeAll(channel, zeros, StateHeader.BYTES + offset + at);
            at += zeros.limit();
        }
    }

    private static void writeAll(FileChannel channel, ByteBuffer bytes, long at) throws IOException {
        long position = at;
        while (bytes.hasRemaining()) {
            position += channel.write(bytes, position);
        }
    }

    /** Releases the file to other processes. The mapped parts can't be used any more. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            try {
                channel.close();
            } catch (IOException e) {
                LOG.warn("state file {} could not be closed: {}", path, e.getMessage());
            }
            OPEN.remove(path.toAbsolutePath().normalize());
        }
    }
}
