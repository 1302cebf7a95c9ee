package org.exomem.conform.broken;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Request;

/**
 * The feature SUSPEND, which exomem's devices do not have. The saboteur offers it, and acts as a device that suspends
 * and resumes, wrong in one way each.
 */
final class SuspendMutations {
    private static final long SUSPEND_FEATURE = 1L << 43;
    private static final int DRIVER_OK = 4;
    private static final int SUSPEND = 16;

    static final List<Mutation> ALL = List.of(
            of("suspend.7", "SUSPEND is shown before DRIVER_OK", () -> new Device(Fault.AT_ONCE).broken()),
            of(
                            "suspend.8",
                            "a suspended device takes what is written to its config space",
                            () -> new Device(Fault.NONE).broken())
                    .on(DeviceType.BALLOON),
            of("suspend.9", "a suspended device goes on with its queues", () -> new Device(Fault.NONE).broken()),
            of("suspend.12", "SUSPEND is never shown", () -> new Device(Fault.NEVER).broken()),
            of("suspend.13", "a suspended device does not go on", () -> new Device(Fault.FOR_EVER).broken()),
            of(
                    "suspend.14",
                    "SUSPEND is shown before what was taken is used",
                    () -> new Device(Fault.USES_LATE).broken()));

    private SuspendMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    private enum Fault {
        NONE,
        AT_ONCE,
        NEVER,
        FOR_EVER,
        USES_LATE
    }

    /** The status as such a device shows it. Its queues continue to run, which is a fault of its own. */
    private static final class Device {
        private static final long A_WHILE = 40_000_000;

        private final Fault fault;
        private final List<Runnable> late = new ArrayList<>();
        private long status;
        private long lateAt;

        Device(Fault fault) {
            this.fault = fault;
        }

        private boolean isSuspended() {
            return (status & SUSPEND) != 0;
        }

        private void set(long value) {
            boolean suspends = (value & SUSPEND) != 0;
            if (isSuspended()) {
                boolean goesOn = (value & DRIVER_OK) != 0 && fault != Fault.FOR_EVER;
                status = goesOn ? value & ~SUSPEND : status;
            } else if (suspends && (value & status & DRIVER_OK) != 0 && fault != Fault.NEVER) {
                status = value & ~DRIVER_OK;
            } else {
                status = fault == Fault.AT_ONCE ? value : value & ~SUSPEND;
            }
        }

        Broken broken() {
            Broken broken = new Broken()
                    .withBits(Request.GET_FEATURES, SUSPEND_FEATURE)
                    .taking(Request.SET_FEATURES, message -> message.withLong(0, message.longAt(0) & ~SUSPEND_FEATURE))
                    .taking(Request.SET_STATUS, message -> {
                        set(message.longAt(0));
                        return message.withLong(0, message.longAt(0) & ~SUSPEND);
                    })
                    .answering(Request.GET_STATUS, message -> {
                        if (isSuspended() && lateAt == 0) {
                            lateAt = System.nanoTime() + A_WHILE;
                        }
                        return message.withLong(0, status);
                    });
            if (fault == Fault.USES_LATE) {
                broken.usedAs((ring, elements) -> {
                            late.add(() -> ring.publish(elements));
                            return List.of();
                        })
                        .onTick(line -> {
                            if (lateAt != 0 && System.nanoTime() > lateAt) {
                                late.forEach(Runnable::run);
                                late.clear();
                            }
                        });
            }
            return broken;
        }
    }
}
