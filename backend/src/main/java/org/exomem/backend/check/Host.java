package org.exomem.backend.check;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The host, as its file system shows it. Read only. */
public final class Host {
    private static final Duration LIMIT = Duration.ofSeconds(5);
    private static final int MOST = 1 << 16;

    private final Path root;

    private Host(Path root) {
        this.root = root;
    }

    /** This host. */
    public static Host here() {
        return at(Path.of("/"));
    }

    /** A host whose files are below that folder. */
    static Host at(Path root) {
        return new Host(root);
    }

    /** A file's text without white space around it; empty if it can't be read. */
    Optional<String> text(String path) {
        try (var in = Files.newInputStream(place(path))) {
            return Optional.of(new String(in.readNBytes(MOST), StandardCharsets.UTF_8).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The rest of the line of a file that begins with a word, such as {@code MemTotal:}. */
    Optional<String> line(String path, String word) {
        return text(path)
                .flatMap(text -> text.lines()
                        .filter(line -> line.startsWith(word))
                        .findFirst()
                        .map(line -> line.substring(word.length()).strip()));
    }

    boolean exists(String path) {
        return Files.exists(place(path));
    }

    boolean mayReadAndWrite(String path) {
        return Files.isReadable(place(path)) && Files.isWritable(place(path));
    }

    /**
     * The space of a file system.
     *
     * @param size in bytes
     * @param left bytes that this user may still write
     */
    record Room(long size, long left) {}

    Optional<Room> room(String path) {
        try {
            FileStore store = Files.getFileStore(place(path));
            return Optional.of(new Room(store.getTotalSpace(), store.getUsableSpace()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The first line that a program prints; empty if it can't be run, fails, or takes more than 5 seconds. */
    Optional<String> firstLineOf(List<String> command) {
        Process process;
        try {
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectInput(Path.of("/dev/null").toFile())
                    .start();
        } catch (IOException e) {
            return Optional.empty();
        }
        try {
            if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS) || process.exitValue() != 0) {
                return Optional.empty();
            }
            return new String(process.getInputStream().readNBytes(MOST), StandardCharsets.UTF_8)
                    .lines()
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        } finally {
            process.destroyForcibly();
        }
    }

    private Path place(String path) {
        return root.resolve(path.substring(1));
    }
}
