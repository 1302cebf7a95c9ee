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
 * Inflates a guest's balloon before the guest migrates: pages in the balloon are not sent. The guest keeps a margin of the
 * memory that it reports as available to its programs. If it needs more, it takes pages out of the balloon by itself
 * (DEFLATE_ON_OOM). Lasts until {@link #close}. The logical size that was requested otherwise does not change, and migrates
 * with the VM.
 */
public final class BalloonFirst implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BalloonFirst.class);

    private static final long LEAST_MARGIN = 128L << 20;
    private static final int MARGIN_PARTS = 8;
    /** The smallest reduction, in bytes, that is worth the effort. */
    private static final long LEAST_GAIN = 16L << 20;

    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Duration STANDSTILL = Duration.ofSeconds(2);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final Duration STATISTICS_LIMIT = Duration.ofSeconds(2);

    private final VirtualMachine vm;

    /**
     * What was reached so far.
     *
     * @param available bytes that the guest reported as available
     * @param before bytes of the VM's logical size before
     * @param target bytes of the logical size that was requested; equals {@code before} if the guest had nothing to spare
     * @param after bytes of the logical size that was reached
     * @param time since the request
     */
    public record Result(long available, long before, long target, long after, Duration time) {
        @Override
        public String toString() {
            return target == before
                    ? "the guest has nothing to spare: " + ByteSize.format(available) + " available of "
                            + ByteSize.format(before)
                    : ByteSize.format(before - after) + " moved into the balloon in " + time.toMillis() + " ms, of "
                            + ByteSize.format(before - target) + " that the guest could spare";
        }
    }

    BalloonFirst(VirtualMachine vm) {
        this.vm = vm;
    }

    /**
     * Returns the logical size that leaves the guest an eighth of its memory above what it uses, and at least 128 MiB.
     *
     * @param memory bytes that the guest has with an empty balloon
     * @param actual bytes that the guest has now
     * @param available bytes of {@code actual} that the guest's programs could get without swapping
     * @return empty if the guest has nothing to spare
     */
    static OptionalLong target(long memory, long actual, long available) {
        long margin = Math.max(LEAST_MARGIN, memory / MARGIN_PARTS);
        // Whole pages: otherwise the driver would never reach the target exactly.
        long spare = Math.min(available, actual) - margin & -Pages.SIZE;
        return spare < LEAST_GAIN ? OptionalLong.empty() : OptionalLong.of(actual - spare);
    }

    /**
     * Inflates the balloon. Returns when the target is reached, when the guest has made no progress for 2 s, or after 30 s.
     *
     * @param cancelled ends the wait when it returns true
     * @param soFar receives the progress about every 20 ms, and the result
     * @throws IOException if the guest's driver can't do this; the message says why
     */
    Result inflate(BooleanSupplier cancelled, Consumer<Result> soFar) throws IOException {
        try {
            VmState.Balloon balloon = balloon();
            if (!balloon.features().contains("deflate-on-oom")) {
                throw new IOException("VM \"" + vm.name()
                        + "\" can't have its balloon inflated first: its driver has not negotiated deflate-on-oom;"
                        + " serve the balloon with"
                        + " deflate-on-oom=on, or migrate without balloon-first");
            }
            long available = FreshStatistics.value(vm, StatisticsTag.AVAILABLE_MEMORY, STATISTICS_LIMIT)
                    .orElseThrow(() -> new IOException("VM \"" + vm.name() + "\" can't have its balloon inflated first:"
                            + " its driver does not report available memory"));
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

    /** Sets the balloon back to the size that was requested otherwise. Does not wait for it. */
    @Override
    public void close() {
        vm.endSqueeze().exceptionally(failure -> {
            LOG.warn("{}: the target of its balloon could not be restored: {}", vm.name(), failure.toString());
            return null;
        });
    }
}
