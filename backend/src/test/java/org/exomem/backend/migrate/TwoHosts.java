package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmTable;
import org.exomem.backend.vm.VmmProcesses;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;

/**
 * Two hosts in this JVM, each with an exomem that serves the VM "web" and an embedded VMM. One VMM runs the guest, the
 * other waits for it.
 */
final class TwoHosts implements AutoCloseable {
    static final String VM = "web";
    /** The memory of the guests that are {@link #atWork}, in bytes, and the part that they use. */
    static final long MEMORY = 128L << 20;

    static final long HELD = 40L << 20;
    /** Bytes a second: the first round takes two seconds, and the guest's writes meanwhile cause further rounds. */
    static final long SLOW = 20L << 20;

    static final MigrationAddress ANY_PORT = MigrationAddress.parse("127.0.0.1:0");

    final Host source;
    final Host destination;
    private final Path folder;
    private final String balloon;
    private final List<AutoCloseable> open = new ArrayList<>();
    /** Notified of every change at either host, on the migration's own thread, which waits for the return. */
    volatile Consumer<MigrationState> watcher = state -> {};

    /**
     * Two hosts whose guest writes all the time and verifies its memory, with a VMM that logs its writes.
     *
     * @param changesThere changes of the options of the destination's VMM
     */
    static TwoHosts atWork(Path folder, UnaryOperator<EmbeddedOptions> changesThere) throws Exception {
        TwoHosts hosts = new TwoHosts(folder, MEMORY, TwoHosts::logged, options -> changesThere.apply(logged(options)));
        hosts.source.guest.work(HELD, 0);
        hosts.source.guest.busy(1000, 100, 1000, false);
        return hosts;
    }

    static TwoHosts atWork(Path folder) throws Exception {
        return atWork(folder, UnaryOperator.identity());
    }

    /** A VMM that logs its guest's writes. */
    static EmbeddedOptions logged(EmbeddedOptions options) {
        return options.withLog(options.ram().resolveSibling(options.ram().getFileName() + ".log"));
    }

    /** @param changes changes of the options of both VMMs */
    TwoHosts(Path folder, long memory, UnaryOperator<EmbeddedOptions> changes) throws IOException, ConfigException {
        this(folder, memory, changes, changes);
    }

    /** @param balloon more options for both balloons, each after a comma */
    TwoHosts(Path folder, long memory, String balloon, UnaryOperator<EmbeddedOptions> changes)
            throws IOException, ConfigException {
        this(folder, memory, balloon, changes, changes);
    }

    /**
     * @param changes changes of the options of the source's VMM
     * @param changesThere changes of the options of the destination's VMM
     */
    TwoHosts(
            Path folder,
            long memory,
            UnaryOperator<EmbeddedOptions> changes,
            UnaryOperator<EmbeddedOptions> changesThere)
            throws IOException, ConfigException {
        this(folder, memory, "", changes, changesThere);
    }

    private TwoHosts(
            Path folder,
            long memory,
            String balloon,
            UnaryOperator<EmbeddedOptions> changes,
            UnaryOperator<EmbeddedOptions> changesThere)
            throws IOException, ConfigException {
        this.balloon = balloon;
        this.folder = folder;
        try {
            source = host("a", memory, changes);
            destination =
                    host("b", memory, options -> changesThere.apply(options).thatIsIncoming());
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private Host host(String name, long memory, UnaryOperator<EmbeddedOptions> changes)
            throws IOException, ConfigException {
        Path socket = folder.resolve(name + ".balloon");
        Path qmp = folder.resolve(name + ".qmp");
        VmConfig config = new VmConfig(
                VM,
                Optional.of(ServeConfig.balloon("vm=" + VM + ",socket=" + socket + ",vmm-qmp=" + qmp + balloon)),
                List.of(ServeConfig.mem(
                        "vm=" + VM + ",id=m0,addr=4G,size=64M,block=2M,socket=" + folder.resolve(name + ".m0"))));
        ServedVm vm = ServedVm.start(
                config, Optional.empty(), event -> {}, (vmm, failed) -> {}, VmmProcesses.NONE, Long.MAX_VALUE);
        open.add(vm);
        EmbeddedOptions options = EmbeddedOptions.of(folder.resolve(name + ".ram"), memory, qmp);
        EmbeddedOptions changed = changes.apply(options);
        EmbeddedGuest guest = EmbeddedGuest.start(changed.incoming() ? changed : changed.withBalloon(socket));
        open.add(guest);
        Migrations migrations = new Migrations(VmTable.of(vm), state -> watcher.accept(state));
        open.add(migrations);
        return new Host(vm, migrations, guest);
    }

    MigrationAddress address() {
        return MigrationAddress.parse("unix:" + folder.resolve("stream"));
    }

    MigrationRequest request() {
        return request(PrecopyOptions.DEFAULT);
    }

    MigrationRequest request(PrecopyOptions precopy) {
        return new MigrationRequest(
                address(),
                Optional.empty(),
                StreamSecurity.none(),
                StreamOptions.defaults(),
                0,
                HintsChoice.AUTO,
                precopy);
    }

    /** Migrates, and waits for the end at both hosts. */
    void migrate(MigrationRequest request) {
        begin(request);
        awaitEnd();
    }

    /** Starts a migration. Returns when both hosts have begun. */
    void begin(MigrationRequest request) {
        source.migrate(receive(request));
    }

    /** Returns the request with which a source may connect, when the destination listens. */
    MigrationRequest receive(MigrationRequest request) {
        destination.migrations.receive(VM, request).join();
        return request.withAddress(MigrationAddress.parse(destination.state().peer()));
    }

    void awaitEnd() {
        if (source.awaitEnd().status() != Status.COMPLETED) {
            destination.cancel();
        }
        destination.awaitEnd();
    }

    void assertMoved() {
        assertThat(source.state().error()).isEmpty();
        assertThat(source.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(destination.state().error()).isEmpty();
        assertThat(destination.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(destination.guest.verify()).isEmpty();
        assertThat(destination.guest.usage().held())
                .isEqualTo(source.guest.usage().held());
        assertThat(destination.guest.failure()).isNull();
    }

    /** Fails unless the guest continues at the source, and nothing of it remains at the destination. */
    void assertUnharmed() throws IOException {
        source.assertRunsOn();
        assertThat(destination.allocated()).isZero();
    }

    void assertSecondSucceeds() {
        migrate(request());
        assertMoved();
    }

    @Override
    public void close() {
        for (AutoCloseable each : open.reversed()) {
            try {
                each.close();
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
    }
}
