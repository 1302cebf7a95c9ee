package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.linux.SharedFile;

/** One of {@link TwoHosts}: its VM, and the state of the VM's migration. */
final class Host {
    private static final long MIB = 1 << 20;

    final ServedVm vm;
    final Migrations migrations;
    final EmbeddedGuest guest;

    Host(ServedVm vm, Migrations migrations, EmbeddedGuest guest) {
        this.vm = vm;
        this.migrations = migrations;
        this.guest = guest;
    }

    MigrationState state() {
        return migrations.state(TwoHosts.VM).orElseThrow();
    }

    void migrate(MigrationRequest request) {
        migrations.migrate(TwoHosts.VM, request);
    }

    /** Returns false if there is nothing to cancel. */
    boolean cancel() {
        return migrations.cancel(TwoHosts.VM);
    }

    /** Returns when so many more bytes were sent. */
    void awaitTravelling(long bytes) {
        long begin = state().sent();
        await().until(() -> state().sent() > begin + bytes || state().status().isOver());
        assertThat(state().status()).isEqualTo(Status.ACTIVE);
    }

    MigrationState awaitEnd() {
        await().atMost(Duration.ofSeconds(60)).until(() -> state().status().isOver());
        return state();
    }

    void assertEnded(Status status, String why) {
        MigrationState state = awaitEnd();
        assertThat(state.error()).hasValueSatisfying(error -> assertThat(error).contains(why));
        assertThat(state.status()).isEqualTo(status);
    }

    boolean runs() throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(guest.options().qmp())) {
            return vmm.isRunning();
        }
    }

    /** The bytes of host memory that the guest's memory occupies. */
    long allocated() throws IOException {
        try (SharedFile ram = SharedFile.open(guest.options().ram())) {
            return ram.allocatedBytes();
        }
    }

    VmState.Balloon balloon() {
        return vm.state().join().balloon().orElseThrow();
    }

    /** Fails unless the guest has all of its memory, and a balloon that works. */
    void assertRunsOn() {
        assertThat(guest.verify()).isEmpty();
        assertThat(guest.failure()).isNull();
        await().until(() -> balloon().connected());
        long all = guest.options().size();
        vm.resize(all - 32 * MIB).join();
        await("the balloon to work").until(() -> balloon().actual() == all - 32 * MIB);
        vm.resize(all).join();
        await("the balloon to work").until(() -> balloon().actual() == all);
    }
}
