package org.exomem.backend.vm;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.FreePages;
import org.exomem.mem.ResizeJob;
import org.exomem.pages.PageSubscription;
import org.jspecify.annotations.Nullable;

/**
 * A VM that is not waited for without end: its futures fail with {@link VirtualMachine.NotAnswering} after a while. Its
 * loop may be held up by the host (a file system that hangs), and nobody who asks for all VMs may hang with it. A task
 * that was given up is still done when the loop comes to it.
 */
public final class LimitedVm implements VirtualMachine {
    private final VirtualMachine vm;
    private final Duration limit;
    /** One question waits at most: who asks every second must not fill the memory with tasks for a loop that hangs. */
    private @Nullable CompletableFuture<VmState> asked;

    public LimitedVm(VirtualMachine vm, Duration limit) {
        this.vm = vm;
        this.limit = limit;
    }

    @Override
    public String name() {
        return vm.name();
    }

    @Override
    public String attachment() {
        return vm.attachment();
    }

    @Override
    public CompletableFuture<VmState> state() {
        return within(this::question);
    }

    private synchronized CompletableFuture<VmState> question() {
        CompletableFuture<VmState> question = asked;
        if (question == null || question.isDone()) {
            question = vm.state();
            asked = question;
        }
        return question;
    }

    @Override
    public CompletableFuture<Void> resize(long bytes) {
        return within(() -> vm.resize(bytes));
    }

    @Override
    public CompletableFuture<BalloonStatistics> statistics() {
        return within(vm::statistics);
    }

    @Override
    public CompletableFuture<Void> statisticsInterval(int seconds) {
        return within(() -> vm.statisticsInterval(seconds));
    }

    @Override
    public CompletableFuture<Void> hint(HintAction action) {
        return within(() -> vm.hint(action));
    }

    @Override
    public CompletableFuture<FreePages> freePages() {
        return within(vm::freePages);
    }

    @Override
    @SuppressWarnings("FutureReturnValueIgnored") // what comes too late is closed, and nobody waits for that
    public CompletableFuture<PageSubscription> followPages(int capacity) {
        CompletableFuture<PageSubscription> following;
        try {
            following = vm.followPages(capacity);
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new NotAnswering(name()));
        }
        return within(() -> following).whenComplete((given, failure) -> {
            if (failure != null) {
                following.thenAccept(PageSubscription::close);
            }
        });
    }

    @Override
    public CompletableFuture<Void> sharePages(Path socket) {
        return within(() -> vm.sharePages(socket));
    }

    @Override
    public CompletableFuture<ResizeJob.State> resizeMemory(Optional<String> device, long bytes) {
        return within(() -> vm.resizeMemory(device, bytes));
    }

    @Override
    public CompletableFuture<Boolean> cancelJob(String id) {
        return within(() -> vm.cancelJob(id));
    }

    @Override
    public CompletableFuture<Void> resetMemory(Optional<String> device) {
        return within(() -> vm.resetMemory(device));
    }

    private <T> CompletableFuture<T> within(Supplier<CompletableFuture<T>> task) {
        try {
            // A copy: the limit is the caller's, the future may be another one's too.
            return task.get()
                    .copy()
                    .orTimeout(limit.toNanos(), TimeUnit.NANOSECONDS)
                    .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                            failure instanceof TimeoutException ? new NotAnswering(name()) : failure));
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new NotAnswering(name()));
        }
    }
}
