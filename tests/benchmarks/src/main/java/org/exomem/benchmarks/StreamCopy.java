package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.MemoryDescription.MemoryFile;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.pages.Pages;

/** Copies a file into that of a receiving process, in different ways, and measures the time. */
final class StreamCopy {
    /** Bytes that the engine's workers read at a time. */
    private static final int READ = 1 << 18;

    /** The transport of the bytes. */
    enum Way {
        PLAIN_UNIX,
        PLAIN_UNIX_MAPPED,
        STREAM_UNIX,
        PLAIN_TCP,
        PLAIN_TCP_MAPPED,
        STREAM_TCP,
        STREAM_CERTIFICATES,
        STREAM_KEY;

        boolean isPlainCopy() {
            return name().startsWith("PLAIN");
        }

        boolean isUnix() {
            return name().contains("UNIX");
        }

        boolean isMapped() {
            return name().endsWith("MAPPED");
        }
    }

    private final SharedFile file;
    private final ChildJvm receiver;
    private final Path folder;

    StreamCopy(SharedFile file, ChildJvm receiver, Path folder) {
        this.file = file;
        this.receiver = receiver;
        this.folder = folder;
    }

    /** Nanoseconds from the first byte until the receiver has confirmed all of them. */
    long nanos(Way way) throws IOException {
        receiver.tell(way + " " + folder);
        String address = receiver.answer();
        long nanos = way.isPlainCopy() ? plain(way, address) : stream(way, MigrationAddress.parse(address));
        receiver.tell(StreamReceiver.END);
        receiver.answer();
        return nanos;
    }

    private long plain(Way way, String address) throws IOException {
        SocketAddress to = way.isUnix()
                ? UnixDomainSocketAddress.of(address)
                : new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(address));
        try (SocketChannel socket = SocketChannel.open(to)) {
            long start = System.nanoTime();
            PlainCopy.send(file, socket);
            return System.nanoTime() - start;
        }
    }

    private long stream(Way way, MigrationAddress address) throws IOException {
        long size = file.size();
        MemoryDescription memory = new MemoryDescription(Pages.SIZE, List.of(new MemoryFile("ram", size, Pages.SIZE)));
        try (MigrationSender sender = MigrationSender.connect(
                        address,
                        StreamReceiver.security(way, folder),
                        StreamOptions.defaults(),
                        memory,
                        new BandwidthLimit(BandwidthLimit.NONE));
                FileChannel channel = FileChannel.open(
                        Path.of("/proc/self/fd", Integer.toString(file.fd().number())), StandardOpenOption.READ);
                Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(READ, Pages.SIZE);
            ByteBuffer bytes = buffer.asByteBuffer();
            long start = System.nanoTime();
            for (long at = 0; at < size; at += READ) {
                bytes.clear().limit((int) Math.min(READ, size - at));
                while (bytes.hasRemaining()) {
                    channel.read(bytes, at + bytes.position());
                }
                sender.channels().getFirst().pages(at / Pages.SIZE, buffer.asSlice(0, bytes.limit()));
            }
            sender.endRound();
            long nanos = System.nanoTime() - start;
            sender.finish();
            sender.handOver();
            return nanos;
        }
    }
}
