package org.exomem.vhostuser.backend;

import io.netty.channel.DefaultSelectStrategyFactory;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.RejectedExecutionHandlers;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread that handles everything of one VM, and waits in epoll. A VM with a thread of its own can't be delayed by
 * another VM's long system call, and its state needs no locks.
 *
 * <p>So the number of threads grows with the number of VMs, and with nothing else. A system call hangs because of memory or
 * files of its VM, and a shared loop could not know that before it hangs. An idle VM costs about 50 KiB of stack and 40 KiB
 * of heap by this, most of it netty's table of descriptors; {@code many-vms} of the benchmarks measures it.
 */
public final class EventLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EventLoop.class);
    // A VM has a few descriptors; the default of 4096 events would cost 48 KiB for each VM.
    private static final int EVENTS_AT_ONCE = 64;
    // The call depth is small here; a small stack keeps the cost of a VM small.
    private static final long STACK_BYTES = 512 * 1024;
    private static final long FAR_AWAY_DAYS = 10_000;

    private final MultiThreadIoEventLoopGroup group;
    private final IoEventLoop loop;

    /** Starts a thread with the VM's name. */
    public EventLoop(String name) {
        ThreadFactory threads = task -> {
            Thread thread = new Thread(null, task, name, STACK_BYTES);
            thread.setDaemon(true);
            return thread;
        };
        group = new Group(threads);
        loop = group.next();
        // Without any scheduled task, netty's loop wakes up every second to look for cancelled ones.
        loop.schedule(() -> {}, FAR_AWAY_DAYS, TimeUnit.DAYS);
    }

    /** A group of one loop, whose queues allocate memory for waiting tasks, not for a thousand in advance. */
    private static final class Group extends MultiThreadIoEventLoopGroup {
        Group(ThreadFactory threads) {
            super(1, threads, EpollIoHandler.newFactory(EVENTS_AT_ONCE, DefaultSelectStrategyFactory.INSTANCE));
        }

        @Override
        protected IoEventLoop newChild(Executor executor, IoHandlerFactory handlers, Object... arguments) {
            return new Loop(this, executor, handlers);
        }
    }

    private static final class Loop extends SingleThreadIoEventLoop {
        Loop(Group group, Executor executor, IoHandlerFactory handlers) {
            super(
                    group,
                    executor,
                    handlers,
                    new ConcurrentLinkedQueue<>(),
                    new ConcurrentLinkedQueue<>(),
                    RejectedExecutionHandlers.reject());
        }
    }

    /** A scheduled task. */
    @FunctionalInterface
    public interface Timer {
        /** Cancels the task, unless it has begun. */
        void cancel();
    }

    /** A watched descriptor. */
    @FunctionalInterface
    public interface Watch extends AutoCloseable {
        /** Ends the watch. Call it on the loop, before the descriptor is closed. */
        @Override
        void close();
    }

    /** True on the loop's own thread. */
    public boolean isCurrent() {
        return loop.inEventLoop();
    }

    /** Runs a task on the loop, soon. Any thread may call this. */
    public void execute(Runnable task) {
        loop.execute(() -> runGuarded(task));
    }

    /** Runs a task on the loop, at once if the caller is on it. Any thread may call this. */
    public <T> CompletableFuture<T> submit(Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        if (isCurrent()) {
            complete(result, task);
        } else {
            loop.execute(() -> complete(result, task));
        }
        return result;
    }

    @SuppressWarnings("CatchAndPrintStackTrace")
    private static <T> void complete(CompletableFuture<T> result, Callable<T> task) {
        try {
            result.complete(task.call());
        } catch (Throwable e) {
            result.completeExceptionally(e);
        }
    }

    /** Runs a task on the loop after a delay. Any thread may call this. */
    public Timer schedule(Duration delay, Runnable task) {
        Future<?> scheduled = loop.schedule(() -> runGuarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
        return () -> scheduled.cancel(false);
    }

    /**
     * Runs a task whenever the descriptor is readable, or its peer has closed. Level-triggered: the task must read
     * everything. On the loop.
     */
    public Watch watch(Fd fd, Runnable readable) {
        return register(fd, EpollIoOps.EPOLLIN, readable);
    }

    /**
     * Runs a task whenever the descriptor is writable, or its peer has closed. Level-triggered: the watch must be closed
     * when there is nothing to write. On the loop.
     */
    public Watch watchWritable(Fd fd, Runnable writable) {
        return register(fd, EpollIoOps.EPOLLOUT, writable);
    }

    /**
     * Runs a task at every signal of a notifier. An eventfd is watched for edges, which saves reading it; a pipe must be
     * emptied. On the loop.
     */
    public Watch watch(EventFd notifier, Runnable signalled) {
        if (notifier.isPipe()) {
            return register(notifier.fd(), EpollIoOps.EPOLLIN, () -> {
                notifier.drain();
                signalled.run();
            });
        }
        return register(notifier.fd(), EpollIoOps.EPOLLIN.with(EpollIoOps.EPOLLET), signalled);
    }

    private Watch register(Fd fd, EpollIoOps interest, Runnable task) {
        if (!isCurrent()) {
            throw new IllegalStateException("descriptors can be registered only from the loop's own thread");
        }
        IoRegistration registration =
                loop.register(new Handle(fd, task)).syncUninterruptibly().getNow();
        registration.submit(interest);
        return registration::cancel;
    }

    /** An exception of a task would stall netty's loop for a second and lose the other events of its batch. */
    private static void runGuarded(Runnable task) {
        try {
            task.run();
        } catch (Throwable e) {
            LOG.error("a task of the event loop failed; this is an internal error of exomem, please report it", e);
        }
    }

    /** Ends the thread; waits for it unless called on it. Tasks that have not begun are dropped. */
    @Override
    public void close() {
        Future<?> ended = group.shutdownGracefully(0, 5, TimeUnit.SECONDS);
        if (!isCurrent()) {
            ended.awaitUninterruptibly();
        }
    }

    private record Handle(FileDescriptor fd, Runnable task) implements EpollIoHandle {
        Handle(Fd fd, Runnable task) {
            this(new FileDescriptor(fd.number()), task);
        }

        @Override
        public void handle(IoRegistration registration, IoEvent event) {
            runGuarded(task);
        }

        /** The descriptor belongs to the owner of the watch. */
        @Override
        public void close() {}
    }
}
