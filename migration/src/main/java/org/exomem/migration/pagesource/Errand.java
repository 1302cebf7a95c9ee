package org.exomem.migration.pagesource;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Something that is found out on a thread of its own, while whoever needs it does something else.
 *
 * @param <T> what is found
 */
public final class Errand<T> {
    private final FutureTask<T> task;

    private Errand(Callable<T> question) {
        this.task = new FutureTask<>(question);
    }

    /** @param name of the thread */
    public static <T> Errand<T> begin(String name, Callable<T> question) {
        Errand<T> errand = new Errand<>(question);
        Thread.ofPlatform().daemon().name(name).start(errand.task);
        return errand;
    }

    /** True if {@link #result} waits no more. */
    public boolean isDone() {
        return task.isDone();
    }

    /**
     * Waits until it is found.
     *
     * @throws IOException if it could not be found, saying why
     */
    public T result() throws IOException {
        try {
            return task.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException why) {
                throw why;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }
}
