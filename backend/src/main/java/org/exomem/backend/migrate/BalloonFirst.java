package org.exomem.backend.migrate;

import java.io.IOException;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.balloon.StatisticsTag;
import org.exomem.pages.Pages;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes from a guest what it can spare, before it migrates: what is in the balloon does not travel. The guest keeps a margin of
 * what it says is available to its programs, and gets back what it needs all the same, without asking (DEFLATE_ON_OOM). Until
 * {@link #close}; what was wanted of the VM's size otherwise stays as it is, and travels.
 */
public final class BalloonFirst implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BalloonFirst.class);

    private static final long LEAST_MARGIN = 128L << 20;
    private static final int MARGIN_PARTS = 8;
    /** Less is not worth the trouble. */
    private static final long LEAST_GAIN = 16L << 20;

    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration STANDSTILL = Duration.ofSeconds(2);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final Duration STATISTICS_LIMIT = Duration.ofSeconds(2);

    private final VirtualMachine vm;

    /**
     * What it did, so far.
     *
     * @param available bytes that the guest said were available
     * @param before bytes of the VM's logical size before
     * @param target bytes of the logical size that was asked for; the same as before if there was nothing to spare
     * @param after bytes of the logical size that it came to
     * @param time since it was asked for
     */
    public record Result(long available, long before, long target, long after, Duration time) {
        @Override
        public String toString() {
            return target == before
                    ? "the guest has nothing to spare: " + ByteSize.format(available) + " available of "
                            + ByteSize.format(before)
                    : ByteSize.format(before - after) + " into the balloon in " + time.toMillis() + " ms, of "
                            + ByteSize.format(before - target) + " that the guest could spare";
        }
    }

    BalloonFirst(VirtualMachine vm) {
        this.vm = vm;
    }

    /**
     * The logical size that leaves a guest an eighth of its memory above what it uses, and 128 MiB at least.
     *
     * @param memory bytes that it has with an empty balloon
     * @param actual bytes that it has now
     * @param available bytes of these that its programs could get without swapping
     * @return nothing if it has nothing to spare
     */
    static OptionalLong target(long memory, long actual, long available) {
        long margin = Math.max(LEAST_MARGIN, memory / MARGIN_PARTS);
        // Whole pages, or the driver would never quite come to it.
        long spare = Math.min(available, actual) - margin & -Pages.SIZE;
        return spare < LEAST_GAIN ? OptionalLong.empty() : OptionalLong.of(actual - spare);
    }

    /**
     * Inflates the balloon; returns when that is done, or the guest does not get on with it.
     *
     * @param cancelled ends the waiting
     * @param soFar is told again and again how far it is, and the result
     * @throws IOException if the guest's driver can't; says why
     */
    Result inflate(BooleanSupplier cancelled, Consumer<Result> soFar) throws IOException {
        try {
            VmState.Balloon balloon = balloon();
            if (!balloon.features().contains("deflate-on-oom")) {
                throw new IOException(
                        "VM \"" + vm.name() + "\" can't have its balloon inflated first: its driver has not agreed to"
                                + " take memory back when it needs it; serve the balloon with"
                                + " deflate-on-oom=on, or migrate without balloon-first");
            }
            long available = FreshStatistics.value(vm, StatisticsTag.AVAILABLE_MEMORY, STATISTICS_LIMIT)
                    .orElseThrow(() -> new IOException("VM \"" + vm.name() + "\" can't have its balloon inflated first:"
                            + " its driver does not say how much memory is available"));
            OptionalLong target = target(balloon.memory(), balloon.actual(), available);
            Result result = target.isEmpty()
                    ? new Result(available, balloon.actual(), balloon.actual(), balloon.actual(), Duration.ZERO)
                    : inflate(available, balloon.actual(), target.getAsLong(), cancelled, soFar);
            soFar.accept(result);
            LOG.info("{}: {}", vm.name(), result);
            return result;
        } catch (CompletionException e) {
            throw new IOException(
                    "VM \"" + vm.name() + "\" can't have its balloon inflated first: " + OutgoingGuest.reason(e), e);
        }
    }

    private Result inflate(long available, long before, long target, BooleanSupplier cancelled, Consumer<Result> soFar)
            throws IOException {
        vm.squeeze(target).join();
        long begin = System.nanoTime();
        long moved = begin;
        long least = before;
        while (least > target && !cancelled.getAsBoolean()) {
            LockSupport.parkNanos(LOOK_AGAIN.toNanos());
            long actual = balloon().actual();
            long now = System.nanoTime();
            soFar.accept(new Result(available, before, target, Math.min(actual, least), Duration.ofNanos(now - begin)));
            if (actual < least) {
                least = actual;
                moved = now;
            } else if (now - moved > STANDSTILL.toNanos() || now - begin > LIMIT.toNanos()) {
                break;
            }
        }
        return new Result(available, before, target, least, Duration.ofNanos(System.nanoTime() - begin));
    }

    private VmState.Balloon balloon() throws IOException {
        VmState.Balloon balloon = vm.state()
                .join()
                .balloon()
                .orElseThrow(
                        () -> new IOException("VM \"" + vm.name() + "\" has no balloon that could be inflated first"));
        if (balloon.memory() == 0) {
            throw new IOException(
                    "VM \"" + vm.name() + "\" can't have its balloon inflated first: no driver has started");
        }
        return balloon;
    }

    /** The VM's size is what was wanted of it otherwise. */
    @Override
    public void close() {
        vm.endSqueeze().exceptionally(failure -> {
            LOG.warn("{}: its balloon could not be set back: {}", vm.name(), failure.toString());
            return null;
        });
    }
}
