package org.exomem.migration.precopy;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/** Workers with a thread for each sink. */
final class ThreadCrew implements Crew {
    private static final int BATCHES_EACH = 3;

    private record Order(Batch batch, Work work) {}

    private static final Order GO = new Order(new Batch(), Work.LOOK);

    private final int workers;
    private final int batches;
    private final BlockingQueue<Batch> free;
    private final BlockingQueue<Order> orders;
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

    ThreadCrew(List<Courier> couriers) {
        this.workers = couriers.size();
        this.batches = workers * BATCHES_EACH;
        this.free = new ArrayBlockingQueue<>(batches);
        this.orders = new ArrayBlockingQueue<>(batches + workers);
        for (int i = 0; i < batches; i++) {
            free.add(new Batch());
        }
        for (int i = 0; i < workers; i++) {
            Courier courier = couriers.get(i);
            Thread.ofPlatform().daemon().name("migration-" + i).start(() -> work(courier));
        }
    }

    private void work(Courier courier) {
        try {
            for (Order order = orders.take(); order != GO; order = orders.take()) {
                if (failure.get() == null) {
                    carryOut(order, courier);
                }
                free.add(order.batch);
            }
        } catch (InterruptedException e) {
            failure.compareAndSet(null, e);
        }
    }

    private void carryOut(Order order, Courier courier) {
        try {
            switch (order.work) {
                case LOOK -> courier.look(order.batch);
                case CARRY -> courier.carry(order.batch);
            }
            order.batch.finish();
        } catch (Throwable e) {
            // Errors too: the engine's thread has to know, or it would regard this batch as done.
            failure.compareAndSet(null, e);
        }
    }

    @Override
    public @Nullable Batch free() throws IOException {
        check();
        try {
            Batch batch = free.poll(1, TimeUnit.MILLISECONDS);
            if (batch != null && failure.get() != null) {
                // No new work after a failure; the next call throws it.
                free.add(batch);
                return null;
            }
            return batch;
        } catch (InterruptedException e) {
            throw interrupted();
        }
    }

    private static InterruptedIOException interrupted() {
        Thread.currentThread().interrupt();
        return new InterruptedIOException("the migration's thread was interrupted");
    }

    @Override
    public void give(Batch batch, Work work) {
        orders.add(new Order(batch, work));
    }

    @Override
    public boolean isIdle() throws IOException {
        if (free.size() < batches) {
            Batch batch = free();
            if (batch != null) {
                free.add(batch);
            }
        }
        // In this order: a worker that fails first reports that, and then returns its batch.
        boolean idle = free.size() == batches;
        check();
        return idle;
    }

    @Override
    public void takeBack(PageBits pages) throws IOException {
        List<Batch> all = new ArrayList<>();
        try {
            while (all.size() < batches) {
                all.add(free.take());
            }
        } catch (InterruptedException e) {
            throw interrupted();
        }
        all.forEach(batch -> batch.giveBack(pages));
        free.addAll(all);
        failure.set(null);
    }

    private void check() throws IOException {
        Throwable cause = failure.get();
        switch (cause) {
            case null -> {}
            case IOException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IOException("a thread of the migration has ended", cause);
        }
    }

    @Override
    public void close() {
        orders.clear();
        for (int i = 0; i < workers; i++) {
            orders.add(GO);
        }
    }
}
