package org.exomem.backend.process;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.control.ControlServer;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmShutdown;
import org.exomem.backend.vm.VmTable;
import org.exomem.backend.vmm.VmmStop;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Everything that {@code exomem serve} runs: the VMs, and the control socket where one is wanted. */
public final class BackendProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BackendProcess.class);

    /** What a VM may need to end when nothing is wrong with its host is milliseconds. */
    private static final Duration END_LIMIT = Duration.ofSeconds(4);

    private final NavigableMap<String, ServedVm> vms = new ConcurrentSkipListMap<>();
    /** The same, as everybody who acts on one gets them. */
    private final VmTable table = new VmTable();

    private final VmmStop guestStop = new VmmStop();
    private final CountDownLatch stop = new CountDownLatch(1);
    private volatile @Nullable ControlServer control;
    private @Nullable Migrations migrations;

    private boolean closed;

    /**
     * Starts everything, or nothing. A {@link #close} on another thread meanwhile waits, and then ends it all.
     *
     * @throws IOException if a socket can't be listened on, or kept state can't be used; says which and why
     */
    public synchronized void start(ServeConfig config, Optional<Path> controlSocket) throws IOException {
        if (closed) {
            throw new IOException("exomem is ending already");
        }
        try {
            for (VmConfig vm : config.vms()) {
                ServedVm started =
                        ServedVm.start(vm, config.state().map(StateDirectory::new), this::publish, guestStop);
                vms.put(vm.name(), started);
                table.add(started);
                vm.balloon().ifPresent(balloon -> LOG.info("{}: balloon on {}", vm.name(), balloon.attachment()));
                vm.memory()
                        .forEach(mem -> LOG.info("{}: memory device {} on {}", vm.name(), mem.id(), mem.attachment()));
            }
            if (controlSocket.isPresent()) {
                Migrations all = new Migrations(
                        table,
                        state -> publish(new VmEvent.MigrationChange(
                                state.vm(), state.status().toString())));
                migrations = all;
                control = ControlServer.listen(controlSocket.get(), table, all, this::stop);
                LOG.info("control socket on {}", controlSocket.get());
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** The VMs that are served now, by name. From any thread. */
    private List<ServedVm> served() {
        return List.copyOf(vms.values());
    }

    private void publish(VmEvent event) {
        ControlServer server = control;
        if (server != null) {
            server.publish(event);
        }
    }

    /** Makes {@link #awaitStop} return. From any thread. */
    public void stop() {
        stop.countDown();
    }

    /** Waits until somebody calls {@link #stop}. */
    public void awaitStop() throws InterruptedException {
        stop.await();
    }

    /** Disconnects everybody and removes the sockets. Waits a few seconds at most for a VM that is held up. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        if (migrations != null) {
            migrations.close();
        }
        // The VMs first: their leaving is an event, and a control socket that is closed takes none.
        VmShutdown.close(served(), END_LIMIT);
        ControlServer server = control;
        if (server != null) {
            server.close();
        }
    }
}
