package org.exomem.benchmarks;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.FilePages;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;

/**
 * The receiving process. It is given a transport and an address to listen on, answers with the actual address, and
 * receives one copy. It answers {@code end} when the copy is complete.
 */
final class StreamReceiver {
    static final String END = "end";

    private final SharedFile file;
    private CompletableFuture<String> running = CompletableFuture.completedFuture("nothing");

    private StreamReceiver(SharedFile file) {
        this.file = file;
    }

    public static void main(String[] arguments) throws IOException {
        try (SharedFile file = new SharedFile(ChildJvm.descriptors(arguments).getFirst())) {
            StreamReceiver receiver = new StreamReceiver(file);
            ChildJvm.serve(line -> {
                try {
                    return receiver.answer(line.split(" "));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                } catch (CompletionException e) {
                    return e.toString();
                }
            });
        }
    }

    private String answer(String[] words) throws IOException {
        if (words[0].equals(END)) {
            return running.join();
        }
        file.punchHole(0, file.size());
        StreamCopy.Way way = StreamCopy.Way.valueOf(words[0]);
        return way.isPlainCopy() ? plain(way, words[1]) : stream(way, words[1]);
    }

    private String plain(StreamCopy.Way way, String folder) throws IOException {
        ServerSocketChannel server;
        String address;
        if (way.isUnix()) {
            Path path = Path.of(folder, "plain");
            Files.deleteIfExists(path);
            server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
            address = path.toString();
        } else {
            server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            address = Integer.toString(((InetSocketAddress) server.getLocalAddress()).getPort());
        }
        running = CompletableFuture.supplyAsync(() -> {
            try (server;
                    SocketChannel socket = server.accept()) {
                if (way.isMapped()) {
                    PlainCopy.receiveMapped(file, socket);
                } else {
                    PlainCopy.receiveByCalls(file, socket);
                }
                return "ok";
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        return address;
    }

    private String stream(StreamCopy.Way way, String folder) throws IOException {
        MigrationAddress at =
                MigrationAddress.parse(way.isUnix() ? "unix:" + Path.of(folder, "stream") : "127.0.0.1:0");
        MigrationReceiver receiver = MigrationReceiver.listen(
                at, security(way, Path.of(folder)), StreamOptions.defaults(), new ToFile(file));
        running = CompletableFuture.supplyAsync(() -> {
            try (receiver) {
                return receiver.receive().toString();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        return receiver.address().toString();
    }

    static StreamSecurity security(StreamCopy.Way way, Path folder) throws IOException {
        return switch (way) {
            case STREAM_CERTIFICATES -> CertificateSecurity.of(folder.resolve("127.0.0.1"));
            case STREAM_KEY -> new PskSecurity(new PreSharedKey("benchmark", new byte[32]));
            default -> StreamSecurity.none();
        };
    }

    private record ToFile(SharedFile file) implements Destination {
        @Override
        public PageTarget open(MemoryDescription memory, String source) throws IOException {
            return new FilePages(memory, List.of(file));
        }

        @Override
        public OutputStream deviceState(String name) {
            return OutputStream.nullOutputStream();
        }

        @Override
        public void ready(ReceivedMigration received) {}

        @Override
        public void start() {}

        @Override
        public void failed(IOException why) {
            System.err.println(why.getMessage());
        }

        @Override
        public void turnedAway(String who, IOException why) {
            System.err.println(why.getMessage());
        }
    }
}
