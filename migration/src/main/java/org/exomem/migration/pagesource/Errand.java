package org.exomem.migration.pagesource;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * A question that is answered on a thread of its own, while the caller does something else.
 *
 * @param <T> the type of the answer
 */
public final class Errand<T> {
    private final FutureTask<T> task;

    private Errand(Callable<T> question) {
        this.task = new FutureTask<>(question);
    }

    /**
     * @param name of the thread
     * @param question runs on that thread
     */
    public static <T> Errand<T> begin(String name, Callable<T> question) {
        Errand<T> errand = new Errand<>(question);
        Thread.ofPlatform().daemon().name(name).start(errand.task);
        return errand;
    }

    /** True if {@link #result} does not wait. */
    public boolean isDone() {
        return task.isDone();
    }

    /**
     * Waits for the answer.
     *
     * @throws IOException if the question failed
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
