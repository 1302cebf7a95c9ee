package org.exomem.backend.vm;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.exomem.backend.config.WritesChoice;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.FreePages;
import org.exomem.mem.ResizeJob;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageSubscription;
import org.jspecify.annotations.Nullable;

/**
 * Limits the time for which callers wait for a VM: its futures fail with {@link VirtualMachine.NotAnswering} after the
 * limit. The VM's loop may be held up by the host (a file system that hangs), and a request for all VMs must not hang with
 * it. The loop still executes the task when it is free again. This is the only such guard: {@link VmTable} wraps each VM in
 * it, and hands out no other VMs. Safe for use by several threads.
 */
final class LimitedVm implements VirtualMachine {
    /** CTL-13: a client's request is answered within this time, whatever the VM does. */
    private static final Duration COMMAND_LIMIT = Duration.ofSeconds(1);
    /**
     * Longer, because a failed migration costs more than waiting, and a guest has to run to answer a request for statistics.
     */
    private static final Duration MIGRATION_LIMIT = Duration.ofSeconds(10);

    private final VirtualMachine vm;
    /**
     * At most one request for a state waits: clients that ask every second must not fill the memory with tasks for a loop
     * that hangs.
     */
    private @Nullable CompletableFuture<VmState> asked;

    private @Nullable CompletableFuture<VmFigures> askedForFigures;

    LimitedVm(VirtualMachine vm) {
        this.vm = vm;
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
    public Optional<Path> vmmQmp() {
        return vm.vmmQmp();
    }

    @Override
    public WritesChoice vmmWrites() {
        return vm.vmmWrites();
    }

    @Override
    public Map<String, Path> sockets() {
        return vm.sockets();
    }

    @Override
    public CompletableFuture<GuestView> show(MemoryImage image) {
        return closedIfLate(MIGRATION_LIMIT, () -> vm.show(image), GuestView::close);
    }

    @Override
    public CompletableFuture<Void> squeeze(long bytes) {
        return within(MIGRATION_LIMIT, () -> vm.squeeze(bytes));
    }

    @Override
    public CompletableFuture<Void> endSqueeze() {
        return within(MIGRATION_LIMIT, vm::endSqueeze);
    }

    @Override
    public CompletableFuture<BalloonStatistics> nextStatistics() {
        return within(MIGRATION_LIMIT, vm::nextStatistics);
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
    public CompletableFuture<VmFigures> figures() {
        return within(this::figuresQuestion);
    }

    private synchronized CompletableFuture<VmFigures> figuresQuestion() {
        CompletableFuture<VmFigures> question = askedForFigures;
        if (question == null || question.isDone()) {
            question = vm.figures();
            askedForFigures = question;
        }
        return question;
    }

    @Override
    public void whenLoopIsFree(Runnable task) {
        vm.whenLoopIsFree(task);
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
    public CompletableFuture<Void> askForFreePages(BitmapRequest request) {
        return within(() -> vm.askForFreePages(request));
    }

    @Override
    public CompletableFuture<Void> cancelFreePages() {
        return within(vm::cancelFreePages);
    }

    @Override
    public CompletableFuture<BitmapAnswer> freePageBitmap() {
        return within(vm::freePageBitmap);
    }

    @Override
    public CompletableFuture<List<PageDescriptors>> pageDescriptors() {
        return within(vm::pageDescriptors);
    }

    @Override
    public CompletableFuture<FreePages> freePages() {
        return within(vm::freePages);
    }

    @Override
    public CompletableFuture<PageSubscription> followPages(int capacity) {
        return closedIfLate(COMMAND_LIMIT, () -> vm.followPages(capacity), PageSubscription::close);
    }

    @Override
    public CompletableFuture<MemoryParts> memoryParts() {
        return closedIfLate(COMMAND_LIMIT, vm::memoryParts, MemoryParts::close);
    }

    @Override
    public CompletableFuture<List<PageUse>> pageUse(List<Integer> gibs) {
        return within(() -> vm.pageUse(gibs));
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

    @SuppressWarnings("FutureReturnValueIgnored") // a late result is closed, and no caller waits for that
    private <T> CompletableFuture<T> closedIfLate(
            Duration limit, Supplier<CompletableFuture<T>> task, Consumer<T> close) {
        CompletableFuture<T> coming;
        try {
            coming = task.get();
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new NotFound("VM \"" + name() + "\" is no longer served"));
        }
        return withLimit(limit, coming).whenComplete((given, failure) -> {
            if (failure != null) {
                coming.thenAccept(close);
            }
        });
    }

    private <T> CompletableFuture<T> within(Supplier<CompletableFuture<T>> task) {
        return within(COMMAND_LIMIT, task);
    }

    private <T> CompletableFuture<T> within(Duration limit, Supplier<CompletableFuture<T>> task) {
        try {
            return withLimit(limit, task.get());
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new NotFound("VM \"" + name() + "\" is no longer served"));
        }
    }

    private <T> CompletableFuture<T> withLimit(Duration limit, CompletableFuture<T> task) {
        // A copy, because the limit is this caller's, and other callers may share the future.
        return task.copy()
                .orTimeout(limit.toNanos(), TimeUnit.NANOSECONDS)
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        failure instanceof TimeoutException ? new NotAnswering(name()) : failure));
    }
}
