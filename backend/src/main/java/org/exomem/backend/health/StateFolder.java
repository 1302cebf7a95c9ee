package org.exomem.backend.health;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.backend.config.ByteSize;
import org.jspecify.annotations.Nullable;

/** Checks whether the folder of the devices' state has space. A file system that hangs blocks one thread, once. */
final class StateFolder {
    /** State is small: some KiB for each device, and up to 32 MiB for a balloon of 1 TiB. */
    private static final long LEAST = 64 << 20;

    private static final Duration LIMIT = Duration.ofSeconds(2);

    private final Optional<Path> folder;
    private @Nullable CompletableFuture<List<Problem>> looking;

    StateFolder(Optional<Path> folder) {
        this.folder = folder;
    }

    /** Completes within two seconds. */
    synchronized CompletableFuture<List<Problem>> problems() {
        if (folder.isEmpty()) {
            return CompletableFuture.completedFuture(List.of());
        }
        Path path = folder.get();
        CompletableFuture<List<Problem>> now = looking;
        if (now == null || now.isDone()) {
            now = CompletableFuture.supplyAsync(
                    () -> look(path),
                    task -> Thread.ofPlatform().daemon().name("state-folder").start(task));
            looking = now;
        }
        return now.copy()
                .orTimeout(LIMIT.toNanos(), TimeUnit.NANOSECONDS)
                .exceptionally(failure -> List.of(Problem.critical(
                        "",
                        "",
                        failure instanceof TimeoutException
                                ? "the state directory " + path + " does not respond"
                                : "the state directory " + path + " can't be examined: " + failure.getMessage(),
                        "repair its file system; when exomem ends, devices lose the changes that it could not store")));
    }

    private static List<Problem> look(Path path) {
        try {
            if (!Files.isDirectory(path)) {
                return List.of(Problem.critical(
                        "",
                        "",
                        "the state directory " + path + " no longer exists",
                        "create it again and restart exomem; until then devices keep their state in memory only"));
            }
            long left = Files.getFileStore(path).getUsableSpace();
            if (left < LEAST) {
                return List.of(Problem.critical(
                        "",
                        "",
                        "the state directory " + path + " is full: " + ByteSize.format(left) + " are left",
                        "free space on its file system; when exomem ends, balloons and memory devices lose"
                                + " state that could not be stored"));
            }
            return List.of();
        } catch (IOException e) {
            return List.of(Problem.critical(
                    "",
                    "",
                    "the state directory " + path + " can't be examined: " + e.getMessage(),
                    "repair its file system"));
        }
    }
}
