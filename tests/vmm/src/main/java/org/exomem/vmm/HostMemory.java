package org.exomem.vmm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/** A memory file of a guest's RAM, from the host's view: how much of it is allocated. */
public final class HostMemory {

    private final Path file;

    private HostMemory(Path file) {
        this.file = file;
    }

    /** Finds the memfds that the process made for its RAM backends, in the order of their creation. */
    static List<HostMemory> of(long pid) throws IOException {
        SortedMap<Integer, HostMemory> files = new TreeMap<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/" + pid + "/fd"))) {
            for (Path descriptor : descriptors) {
                if (Files.isSymbolicLink(descriptor)
                        && Files.readSymbolicLink(descriptor).toString().startsWith("/memfd:memory-backend-memfd")) {
                    files.put(Integer.valueOf(descriptor.getFileName().toString()), new HostMemory(descriptor));
                }
            }
        }
        if (files.isEmpty()) {
            throw new IOException("process " + pid + " has no memfd of a memory backend open");
        }
        return List.copyOf(files.values());
    }

    static HostMemory of(Path file) {
        return new HostMemory(file);
    }

    /** Reads a part of the file. Parts that were never written read as zeros, and stay unallocated. */
    byte[] read(long offset, int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            while (buffer.hasRemaining() && channel.read(buffer, offset + buffer.position()) > 0) {
                // Reads until all bytes are there.
            }
        }
        return buffer.array();
    }

    /** Overwrites a part of the file, without the knowledge of its users. */
    void write(long offset, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            while (buffer.hasRemaining()) {
                channel.write(buffer, offset + buffer.position());
            }
        }
    }

    /** Returns the size of the whole file in bytes. */
    long size() throws IOException {
        return Files.size(file);
    }

    /** Returns the allocated bytes: st_blocks, which Java itself does not provide. */
    public long allocated() throws IOException {
        Process stat = new ProcessBuilder("stat", "-L", "-c", "%b", file.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(stat.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        try {
            return Long.parseLong(output) * 512;
        } catch (NumberFormatException e) {
            throw new IOException("can't read the size of " + file + ": " + output, e);
        }
    }
}
