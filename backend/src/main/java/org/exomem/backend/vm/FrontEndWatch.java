package org.exomem.backend.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import org.exomem.backend.config.Attachment;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reports to operators when front-ends connect to a device and leave it. On the VM's loop. */
final class FrontEndWatch implements EndpointListener {
    private static final Logger LOG = LoggerFactory.getLogger(FrontEndWatch.class);

    private final String vm;
    private final String device;
    private final Consumer<VmEvent> events;
    private final EventLoop loop;
    private final long memoryLimit;
    private final Runnable changed;
    private final Optional<Path> qmp;
    private final VmmProcesses vmm;
    private final LogThrottle comings;
    private final LogThrottle faults;
    private final MemoryPlaces places;

    /**
     * @param device its name in events
     * @param loop of the VM
     * @param memoryLimit the most bytes that a front-end may share
     * @param changed runs after a front-end came or went
     * @param qmp the QMP socket of the VMM, if it is configured
     */
    FrontEndWatch(
            String vm,
            String device,
            EventLoop loop,
            Consumer<VmEvent> events,
            long memoryLimit,
            Runnable changed,
            Optional<Path> qmp,
            VmmProcesses vmm) {
        this.vm = vm;
        this.device = device;
        this.loop = loop;
        this.events = events;
        this.memoryLimit = memoryLimit;
        this.changed = changed;
        this.qmp = qmp;
        this.vmm = vmm;
        this.comings = new LogThrottle(line -> LOG.info("{} {}: {}", vm, device, line), loop::schedule);
        this.faults = new LogThrottle(line -> LOG.warn("{} {}: {}", vm, device, line), loop::schedule);
        this.places = new MemoryPlaces(faults::say);
    }

    /**
     * Attaches the device as its operator configured it.
     *
     * @throws IOException if the socket can't be listened on, or the inherited connection can't be used
     */
    Endpoint attach(Attachment attachment, VhostUserDevice to) throws IOException {
        return switch (attachment) {
            case Attachment.Listen listen -> Endpoint.listen(listen.socket(), listen.access(), to, loop, this);
            case Attachment.Connect connect -> Endpoint.connect(connect.socket(), to, loop, this);
            case Attachment.Inherited inherited -> Endpoint.inherit(new Fd(inherited.fd()), to, loop, this);
        };
    }

    @Override
    public long memoryLimit() {
        return memoryLimit;
    }

    @Override
    public @Nullable LatePages pagesOf(MemoryRegion region, int frontEnd, Runnable came) throws LinuxException {
        places.shared(region);
        CloneOwnFile clone = CloneOwnFile.of(region.file(), frontEnd).orElse(null);
        if (clone == null) {
            return null;
        }
        if (qmp.isEmpty()) {
            throw new FrontEndFault(
                    "the memory belongs to a clone, whose VMM must share its pages: name its QMP socket where the"
                            + " device is served (vmm-qmp=PATH)");
        }
        LOG.debug(
                "{} {}: {} pages of the clone's file are shared",
                vm,
                device,
                clone.shared().count());
        return new ClonePages(
                vm, qmp.get(), frontEnd, region, clone, loop, vmm, came, why -> fault(FaultKind.HOST, why));
    }

    @Override
    public void connected() {
        comings.say("a VMM has connected");
        events.accept(new VmEvent.Connected(vm, device));
        changed.run();
    }

    @Override
    public void disconnected(String reason) {
        comings.say("disconnected: " + reason);
        places.frontEndLeft();
        events.accept(new VmEvent.Disconnected(vm, device, reason));
        changed.run();
    }

    @Override
    public void noFrontEndCanCome() {
        events.accept(new VmEvent.Abandoned(vm, device));
    }

    @Override
    public void fault(FaultKind kind, String message) {
        faults.say(message);
        events.accept(new VmEvent.Fault(vm, device, kind, message));
    }
}
