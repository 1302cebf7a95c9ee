package org.exomem.backend.process;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.control.ControlServer;
import org.exomem.backend.control.NamesFile;
import org.exomem.backend.control.ProcessControl;
import org.exomem.backend.control.Version;
import org.exomem.backend.detach.VmDevices;
import org.exomem.backend.health.Health;
import org.exomem.backend.health.Problem;
import org.exomem.backend.metrics.EventCounts;
import org.exomem.backend.metrics.MetricsServer;
import org.exomem.backend.migrate.IgnoreSharedReset;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.pager.Pagers;
import org.exomem.backend.service.Pulse;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.ui.UiServer;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmShutdown;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vm.VmTable;
import org.exomem.backend.vmm.VmmStop;
import org.exomem.linux.Fd;
import org.exomem.linux.HandedSockets;
import org.exomem.linux.process.ProcessFd;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Everything that {@code exomem serve} runs: the VMs, and the control socket, the page and the metrics where they are
 * configured. Safe for use by several threads.
 */
public final class BackendProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackendProcess.class);

    /** The time for VMs to end. A VM on a host without faults needs milliseconds. */
    private static final Duration END_LIMIT = Duration.ofSeconds(4);

    /** The limit for an answer of the control socket. VMs have a limit of their own. */
    private static final Duration PULSE_LIMIT = Duration.ofSeconds(1);

    /** The name of the control socket among the sockets of a service manager. */
    private static final String CONTROL = "control";

    /**
     * Runs tasks that wait for VMs and file systems. The lock of the device set lets only one run at a time. No virtual
     * threads: one that waits for a file system blocks its carrier thread, and the code that assembles answers needs the
     * carrier threads.
     */
    private static final Executor WORKERS =
            task -> Thread.ofPlatform().daemon().name("change").start(task);

    private final VmTable table = new VmTable();
    private final VmmStop guestStop = new VmmStop();
    private final CountDownLatch stop = new CountDownLatch(1);
    private final Migrations migrations = new Migrations(
            table,
            state -> publish(
                    new VmEvent.MigrationChange(state.vm(), state.status().toString())));
    private volatile @Nullable ControlServer control;
    private volatile @Nullable NamesFile names;
    private volatile @Nullable DeviceSet devices;
    private volatile @Nullable Pagers pagers;
    private volatile @Nullable MetricsServer metrics;
    private volatile @Nullable UiServer page;
    private volatile @Nullable Health health;
    private final EventCounts counts = new EventCounts();
    /** Devices to which no front-end can connect any more. */
    private final Set<String> abandoned = ConcurrentHashMap.newKeySet();

    private final IgnoreSharedReset takenBack = new IgnoreSharedReset(migrations, this::settle);

    private final CloneWatch clones = new CloneWatch(new CloneWatch.Told() {
        @Override
        public void ended(ProcessFd vmm) {
            DeviceSet all = devices;
            if (all != null) {
                all.removeThoseOf(vmm);
            }
        }

        @Override
        public void templateChanged(String clone, Path template, String why) {
            publish(new VmEvent.TemplateChange(clone, template.toString(), why));
        }
    });

    private volatile boolean started;
    private volatile String reason = "it was closed";

    private boolean closed;

    /**
     * Starts everything, or nothing. A concurrent {@link #close} waits, and then ends everything.
     *
     * @throws IOException if a socket can't be listened on, or kept state can't be used; the message names it and the reason
     */
    public synchronized void start(ServeConfig config, Optional<Path> controlSocket) throws IOException {
        if (closed) {
            throw new IOException("exomem is shutting down");
        }
        DeviceSet all = new DeviceSet(config, table, migrations, this::publish, guestStop);
        devices = all;
        try {
            all.start();
            Pagers paged =
                    new Pagers(config.state().map(StateDirectory::new), migrations, this::sockets, this::publish);
            pagers = paged;
            paged.takeUp();
            config.state().map(StateDirectory::new).ifPresent(migrations::takeUp);
            table.all().forEach(vm -> takenBack.look(vm.name(), vm.sockets().values()));
            Health ofAll = new Health(table, migrations, paged::states, config.state());
            health = ofAll;
            if (controlSocket.isPresent()) {
                control = serveControl(controlSocket.get(), new Changes(all, paged, ofAll));
                NamesFile file = NamesFile.of(controlSocket.get(), WORKERS);
                names = file;
                tellNames();
                LOG.info("control socket on {}", controlSocket.get());
            }
            servePage(config, controlSocket);
            serveMetrics(config.metrics(), paged, ofAll);
            started = true;
            endIfAbandoned();
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private void servePage(ServeConfig config, Optional<Path> controlSocket) throws IOException {
        if (config.ui().addresses().isEmpty()) {
            return;
        }
        Path asked = controlSocket.orElseThrow(() -> new IOException("the page needs a control socket"));
        UiServer serving = UiServer.start(config.ui(), asked, Optional.empty());
        page = serving;
        LOG.info("page on {}", text(serving.addresses()));
    }

    private void serveMetrics(HttpConfig wanted, Pagers paged, Health ofAll) throws IOException {
        if (wanted.addresses().isEmpty()) {
            return;
        }
        Map<String, Consumer<Runnable>> loops = new HashMap<>();
        ControlServer server = control;
        if (server != null) {
            loops.put("control", server::whenLoopIsFree);
        }
        UiServer shown = page;
        if (shown != null) {
            loops.put("page", shown::whenLoopIsFree);
        }
        MetricsServer serving = new MetricsServer(
                wanted,
                new MetricsServer.Process(
                        Version.current().toString(), table, migrations::states, paged::states, ofAll, counts, loops));
        metrics = serving;
        LOG.info("metrics on {}", text(serving.addresses()));
    }

    private static String text(List<HttpAddress> addresses) {
        return addresses.stream().map(Object::toString).collect(Collectors.joining(", "));
    }

    /** The addresses on which metrics are served, with the actual ports. */
    public List<HttpAddress> metricsAddresses() {
        MetricsServer serving = metrics;
        return serving == null ? List.of() : serving.addresses();
    }

    /** The addresses on which the page is served, with the actual ports. */
    public List<HttpAddress> pageAddresses() {
        UiServer serving = page;
        return serving == null ? List.of() : serving.addresses();
    }

    /** Uses the socket named "control" of the service manager, if there is one. */
    private ControlServer serveControl(Path path, ProcessControl changes) throws IOException {
        OptionalInt handed = HandedSockets.ofProcess().named(CONTROL);
        return handed.isPresent()
                ? ControlServer.inherit(new Fd(handed.getAsInt()), path, table, migrations, changes)
                : ControlServer.listen(path, table, migrations, changes);
    }

    private void tellNames() {
        NamesFile file = names;
        DeviceSet all = devices;
        if (file != null && all != null) {
            file.changed(() -> all.vms().stream().map(ServedVm::config).toList());
        }
    }

    /**
     * Returns the state of the process. Asks all event loops, and completes after at most a second. Any thread may call
     * this.
     */
    public CompletableFuture<Pulse> pulse() {
        ControlServer server = control;
        CompletableFuture<Boolean> controlAnswers = server == null
                ? CompletableFuture.completedFuture(true)
                : server.answers()
                        .thenApply(done -> true)
                        .completeOnTimeout(false, PULSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        List<VirtualMachine> all = table.all();
        List<CompletableFuture<Optional<Boolean>>> attached = all.stream()
                .map(vm -> vm.state()
                        .handle((state, failure) -> Optional.ofNullable(state).map(VmState::connected)))
                .toList();
        return CompletableFuture.allOf(attached.toArray(CompletableFuture<?>[]::new))
                .thenCombine(controlAnswers, (done, answered) -> {
                    List<String> silent = new ArrayList<>();
                    int connected = 0;
                    for (int i = 0; i < all.size(); i++) {
                        Optional<Boolean> answer = attached.get(i).join();
                        if (answer.isEmpty()) {
                            silent.add(all.get(i).name());
                        } else if (answer.get()) {
                            connected++;
                        }
                    }
                    return new Pulse(all.size(), connected, silent, answered);
                });
    }

    /**
     * Applies another configuration, as far as no VMM has to leave first. The rest is applied when the VMM has left. Devices
     * that commands have added stay. Waits at most a second for the event loop of each VM.
     *
     * @throws ConfigException if the configuration is wrong; nothing has changed then
     */
    public void reload(ServeConfig config) throws ConfigException {
        DeviceSet all = devices;
        if (all != null) {
            all.reload(config);
        }
    }

    /** Called on any thread, also on VMs' event loops, so it must not wait. */
    private void publish(VmEvent event) {
        ControlServer server = control;
        if (server != null) {
            server.publish(event);
        }
        counts.happened(event);
        Health ofAll = health;
        if (ofAll != null) {
            ofAll.happened(event);
        }
        if (event instanceof VmEvent.Added || event instanceof VmEvent.Removed) {
            tellNames();
        }
        switch (event) {
            case VmEvent.Disconnected _, VmEvent.MigrationChange _, VmEvent.PagerChange _ -> settle();
            case VmEvent.Abandoned of -> {
                abandoned.add(of.vm() + "/" + of.device());
                endIfAbandoned();
            }
            // Other front-ends may connect to a device that is added again.
            case VmEvent.Added of -> {
                abandoned.remove(of.vm() + "/" + of.device());
                if (started) {
                    WORKERS.execute(
                            () -> takenBack.look(of.vm(), sockets(of.vm()).values()));
                }
            }
            default -> {}
        }
    }

    private void publish(PagedState paged) {
        publish(new VmEvent.PagerChange(paged.vm(), paged.status().word(), paged.reason()));
    }

    /** The sockets of a VM's devices, by device name; empty if there is no such VM. */
    private Map<String, Path> sockets(String vm) {
        try {
            return table.named(vm).sockets();
        } catch (VirtualMachine.NotFound e) {
            return Map.of();
        }
    }

    private void settle() {
        DeviceSet all = devices;
        if (all != null && all.askToSettle()) {
            WORKERS.execute(all::settle);
        }
    }

    private void endIfAbandoned() {
        DeviceSet all = devices;
        if (started
                && all != null
                && !abandoned.isEmpty()
                && all.vms().stream()
                        .flatMap(vm -> vm.config().devices().stream())
                        .allMatch(device -> abandoned.contains(device.vm() + "/" + device.id()))) {
            stop("the VMM disconnected, and no other VMM can connect");
        }
    }

    /**
     * Makes {@link #awaitStop} return. Any thread may call this.
     *
     * @param why for the log, as in "ends: SIGTERM"; only the first reason counts
     */
    public void stop(String why) {
        synchronized (stop) {
            if (stop.getCount() > 0) {
                reason = why;
            }
        }
        stop.countDown();
    }

    /** Waits for {@link #stop}. Returns the reason. */
    public String awaitStop() throws InterruptedException {
        stop.await();
        return reason;
    }

    /**
     * Disconnects all clients and front-ends, and removes the sockets. Waits a few seconds for VMs that are held up, and for
     * migrations as {@link Migrations#close} does.
     */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        MetricsServer serving = metrics;
        if (serving != null) {
            serving.close();
        }
        UiServer shown = page;
        if (shown != null) {
            shown.close();
        }
        clones.close();
        takenBack.close();
        Pagers paged = pagers;
        if (paged != null) {
            paged.close();
        }
        migrations.close();
        DeviceSet all = devices;
        if (all != null) {
            all.close();
            // The VMs before the control socket, which could not publish their last events when it is closed.
            VmShutdown.close(all.vms(), END_LIMIT);
        }
        ControlServer server = control;
        if (server != null) {
            server.close();
        }
        NamesFile file = names;
        if (file != null) {
            file.close();
        }
    }

    /** A task with the devices of a VMM. */
    @FunctionalInterface
    private interface Replug {
        List<String> of(VmDevices devices) throws IOException;
    }

    /** The changes that clients may make. */
    private final class Changes implements ProcessControl {
        private final DeviceSet all;
        private final Pagers paged;
        private final Health health;

        Changes(DeviceSet all, Pagers paged, Health health) {
            this.all = all;
            this.paged = paged;
            this.health = health;
        }

        @Override
        public CompletableFuture<List<Problem>> problems() {
            return health.look();
        }

        @Override
        public long descriptors() {
            MetricsServer measured = metrics;
            UiServer shown = page;
            return clones.descriptors()
                    + (measured == null ? 0 : measured.descriptors())
                    + (shown == null ? 0 : shown.descriptors());
        }

        @Override
        public void quit() {
            stop("quit");
        }

        @Override
        public CompletableFuture<Void> add(ServeConfig more, Optional<Clone> clone) {
            return run(() -> {
                if (clone.isEmpty()) {
                    all.add(more, Optional.empty());
                } else {
                    addClone(more, clone.get());
                }
                return null;
            });
        }

        private void addClone(ServeConfig more, Clone clone) throws ConfigException, IOException {
            ProcessFd vmm = ProcessFd.open(clone.pid());
            try {
                all.add(more, Optional.of(vmm));
            } catch (ConfigException | IOException | RuntimeException e) {
                vmm.close();
                throw e;
            }
            try {
                clones.add(vmm, more.vms().stream().map(VmConfig::name).toList(), clone.template());
            } catch (IOException | RuntimeException e) {
                all.removeThoseOf(vmm);
                vmm.close();
                throw e;
            }
        }

        @Override
        public CompletableFuture<List<Kept>> remove(String vm, Optional<String> device) {
            return run(() -> all.remove(vm, device));
        }

        @Override
        public CompletableFuture<VmConfig> config(String vm) {
            return run(() -> all.config(table.named(vm).name()));
        }

        @Override
        public CompletableFuture<List<String>> detach(String vm, Optional<Path> qmp) {
            return run(() -> replug(table.named(vm), qmp, "is being detached", VmDevices::detach));
        }

        @Override
        public CompletableFuture<List<String>> attach(String vm, Optional<Path> qmp) {
            return run(() -> {
                VirtualMachine named = table.named(vm);
                return VmDevices.isDetached(named)
                        ? replug(named, qmp, "is being attached", VmDevices::attach)
                        : List.of();
            });
        }

        @Override
        public CompletableFuture<PagedState> page(String vm, Path image, Path qmp) {
            return run(() -> paged.start(vm, image, qmp));
        }

        @Override
        public List<PagedState> paged() {
            return paged.states();
        }

        private List<String> replug(VirtualMachine vm, Optional<Path> qmp, String what, Replug task)
                throws IOException {
            Path socket = qmp.or(vm::vmmQmp)
                    .orElseThrow(() -> new VirtualMachine.Refused("VM \"" + vm.name()
                            + "\": the QMP socket of its VMM is not known: set vmm-qmp=PATH where the"
                            + " VM is served, or name the socket here"));
            migrations.reserve(vm.name(), what);
            try (VmDevices of = VmDevices.of(vm, socket)) {
                return task.of(of);
            } finally {
                migrations.release(vm.name());
                settle();
            }
        }

        private <T> CompletableFuture<T> run(Callable<T> task) {
            return CompletableFuture.supplyAsync(
                    () -> {
                        try {
                            return task.call();
                        } catch (ConfigException | IOException e) {
                            throw new CompletionException(new VirtualMachine.Refused(String.valueOf(e.getMessage())));
                        } catch (RuntimeException e) {
                            throw e;
                        } catch (Exception e) {
                            throw new CompletionException(e);
                        }
                    },
                    WORKERS);
        }
    }
}
