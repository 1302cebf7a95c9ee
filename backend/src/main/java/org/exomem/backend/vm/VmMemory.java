package org.exomem.backend.vm;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemListener;
import org.exomem.mem.ResizeJob;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A memory device of a VM, with its last resize. Used on the VM's event loop, except {@link #close}. Sizes in bytes. */
final class VmMemory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VmMemory.class);

    private final MemoryConfig config;
    private final EventLoop loop;
    private final Consumer<VmEvent> events;
    private final VirtioMem device;
    private final LogThrottle standstills;
    private final PatrolRounds patrol;
    private final MemoryGuard guard;
    private final Endpoint endpoint;
    private long plugged;
    private long requested;
    private long jobs;
    private @Nullable ResizeJob job;
    private EventLoop.@Nullable Timer nextLook;

    /**
     * @param kept its state from before
     * @param feed receives which blocks the guest does not use
     * @param memoryLimit the most bytes that a front-end may share
     * @throws IOException if the socket can't be listened on
     */
    VmMemory(
            MemoryConfig config,
            KeptBlocks kept,
            EventLoop loop,
            Consumer<VmEvent> events,
            GuestStop stop,
            VmmProcesses vmm,
            PageFeed feed,
            long memoryLimit)
            throws IOException {
        this.config = config;
        this.loop = loop;
        this.events = events;
        this.standstills =
                new LogThrottle(line -> LOG.info("{} {}: {}", config.vm(), config.id(), line), loop::schedule);
        this.device = new VirtioMem(kept, config.preallocate(), config.requested(), new DriverWatch(), feed);
        this.plugged = device.pluggedSize();
        this.requested = device.requestedSize();
        FrontEndWatch watch = new FrontEndWatch(
                config.vm(), config.id(), loop, events, memoryLimit, this::presenceChanged, config.vmmQmp(), vmm);
        this.patrol = new PatrolRounds(config, device, loop, events, watch, stop);
        this.guard = new MemoryGuard(config, device, loop, events, watch, stop, vmm);
        if (plugged != requested) {
            job = newJob(requested);
        }
        this.endpoint = watch.attach(config.attachment(), device);
        patrol.start();
        guard.start();
    }

    String id() {
        return config.id();
    }

    /** The memory that the front-end shares; empty if none is connected. */
    List<MemoryRegion> sharedMemory() {
        return device.sharedMemory();
    }

    /** See {@link Endpoint#logOwnWritesTo}. */
    void logOwnWritesTo(@Nullable DirtyLog log) {
        endpoint.logOwnWritesTo(log);
    }

    /** Any thread may call this. */
    boolean isConnected() {
        return endpoint.isConnected();
    }

    /** See {@link Endpoint#brokenQueues}. */
    int brokenQueues() {
        return endpoint.brokenQueues();
    }

    MemoryState state() {
        return new MemoryState(
                config.vm(),
                config.id(),
                config.attachment().toString(),
                device.isConnected(),
                config.plan(),
                device.requestedSize(),
                device.pluggedSize(),
                device.usableSize(),
                Optional.ofNullable(job).map(ResizeJob::state),
                guard.soFar(),
                patrol.soFar());
    }

    /**
     * Asks the guest to change its size. The same size once more resumes a job that is stalled.
     *
     * @throws VirtualMachine.Refused if the device can't have that size
     */
    ResizeJob.State resize(long size) {
        try {
            device.request(size);
        } catch (IllegalArgumentException e) {
            throw new VirtualMachine.Refused(label() + ": " + e.getMessage());
        }
        ResizeJob current = job;
        if (current != null && !current.isOver() && current.requested() == size) {
            current.resume();
        } else {
            current = replaceJob(size);
        }
        watchJob();
        return current.state();
    }

    private ResizeJob replaceJob(long size) {
        if (job != null) {
            job.replace();
        }
        requested = size;
        ResizeJob next = newJob(size);
        job = next;
        return next;
    }

    private ResizeJob newJob(long size) {
        String id = config.vm() + "/" + config.id() + "/" + ++jobs;
        return new ResizeJob(id, plugged, size, presence(), System::nanoTime, this::jobChanged);
    }

    /**
     * Cancels a job, and keeps the present size. Returns false if there is none of that id.
     *
     * @throws VirtualMachine.Refused if the job is over
     */
    boolean cancel(String jobId) {
        ResizeJob current = job;
        if (current == null || !current.id().equals(jobId)) {
            return false;
        }
        if (current.isOver()) {
            throw new VirtualMachine.Refused("job \"" + jobId + "\" has already ended");
        }
        requested = device.pluggedSize();
        device.request(requested);
        current.cancel();
        return true;
    }

    /** Handles a reset of the system: no block is used any more. Completes when nothing is plugged. */
    CompletableFuture<Void> reset() {
        return device.systemReset().handle((done, failure) -> {
            if (failure != null) {
                throw new VirtualMachine.Refused(
                        label() + ": memory can't be returned to the host: " + failure.getMessage());
            }
            LOG.info("{}: reset; no block is plugged", label());
            return done;
        });
    }

    /** See {@link VirtioMem#unplugged}. */
    boolean unplugged(int gib, long[] pages) {
        return device.unplugged(gib, pages);
    }

    /** Bytes of the region that are not plugged. */
    long unplugged() {
        return config.plan().size() - plugged;
    }

    /** Bytes of all plugged blocks. */
    long plugged() {
        return plugged;
    }

    long address() {
        return config.plan().address();
    }

    long regionSize() {
        return config.plan().size();
    }

    private String label() {
        return "VM \"" + config.vm() + "\", memory device \"" + config.id() + "\"";
    }

    private ResizeJob.Presence presence() {
        if (device.isDriverRunning()) {
            return ResizeJob.Presence.DRIVER;
        }
        return device.isConnected() ? ResizeJob.Presence.FRONT_END : ResizeJob.Presence.NOBODY;
    }

    private void presenceChanged() {
        if (!device.isConnected()) {
            guard.frontEndLeft();
        }
        if (job != null) {
            job.presenceIs(presence());
        }
        watchJob();
    }

    private void jobChanged(ResizeJob.State state) {
        if (state.status() == ResizeJob.Status.STALLED && device.isDriverRunning()) {
            standstills.say("the resize makes no progress at " + state.plugged() + " of " + state.requested()
                    + " bytes: " + state.reason());
        }
        events.accept(new VmEvent.JobChange(config.vm(), config.id(), state));
    }

    /** Checks the job at the time when it may count as stalled. */
    private void watchJob() {
        if (nextLook == null && job != null) {
            job.look()
                    .ifPresent(nanos -> nextLook = loop.schedule(Duration.ofNanos(nanos), () -> {
                        nextLook = null;
                        watchJob();
                    }));
        }
    }

    /** Ends the device for good, while its VM goes on. On the loop. Its state may be closed afterwards. */
    void retire() {
        patrol.stop();
        guard.retire();
        if (nextLook != null) {
            nextLook.cancel();
        }
        job = null;
        endpoint.close();
    }

    /** Disconnects the front-end and removes the socket. Any thread may call this but the loop. */
    @Override
    public void close() {
        guard.close();
        endpoint.close();
    }

    private final class DriverWatch implements MemListener {
        @Override
        public void pluggedSizeChanged(long size) {
            plugged = size;
            events.accept(new VmEvent.MemorySizeChange(config.vm(), config.id(), size));
            if (requested != device.requestedSize()) {
                // The VM has migrated here, with the size that was requested at its source.
                replaceJob(device.requestedSize());
            } else if (job != null) {
                job.pluggedIs(size);
            }
            watchJob();
        }

        @Override
        public void refused(String reason) {
            LOG.warn("{} {}: {}", config.vm(), config.id(), reason);
        }

        @Override
        public void busy(String why) {
            if (job != null) {
                job.hostIsBusy(why);
            }
        }

        @Override
        public void hostFailed(String what) {
            events.accept(new VmEvent.Fault(config.vm(), config.id(), FaultKind.HOST, what));
        }

        @Override
        public void driverChanged(boolean running) {
            if (running) {
                guard.driverStarted();
            }
            presenceChanged();
        }
    }
}
