package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.exomem.backend.qmp.QmpSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The reports of QEMU 11.1.2 about devices that it does not migrate, and the effect on a migration. */
@Timeout(60)
@Tag("VMM-14")
class MigrationBlockersTest {
    private static final String OURS = "'non-migratable device: 0000:00:01.0:00.0/vhost-user-test-device'";
    private static final PluggedDevice BALLOON = new PluggedDevice(
            new GenericDevice("vhost-user-test-device-pci", "balloon0", "port0", 5, 5, 128, 16),
            "cb",
            Path.of("/run/b"),
            false);

    @TempDir
    Path folder;

    private ScriptedVmm vmm;
    private QmpSession qmp;

    @BeforeEach
    void connect() throws IOException {
        Path socket = folder.resolve("qmp");
        vmm = new ScriptedVmm(socket)
                .answer("qom-list /machine/peripheral-anon", "[{'name': 'type', 'type': 'string'}]")
                .answer("qom-get /machine/peripheral/balloon0 hotpluggable", "true")
                .answer("query-migrate", "{'blocked-reasons': [" + OURS + "]}");
        qmp = QmpSession.connect(socket);
    }

    @AfterEach
    void close() throws IOException {
        qmp.close();
        vmm.close();
    }

    private void refuse(PluggedDevice... takenOut) throws IOException {
        new MigrationBlockers(qmp, true).refuse(List.of(takenOut));
    }

    @Test
    void devicesThatAreTakenOutBlockNothing() {
        assertThatCode(() -> refuse(BALLOON)).doesNotThrowAnyException();
    }

    @Test
    void deviceThatIsStillThereAfterAllWereTakenOutIsRefused() {
        assertThatThrownBy(this::refuse).hasMessageContaining("0000:00:01.0:00.0/vhost-user-test-device");
    }

    @Test
    void deviceWithoutIdIsRefusedWithWhatToDo() {
        vmm.answer(
                "qom-list /machine/peripheral-anon",
                "[{'name': 'device[0]', 'type': 'child<vhost-user-test-device-pci>'}]");
        assertThatThrownBy(() -> refuse(BALLOON))
                .hasMessageContaining("/machine/peripheral-anon/device[0]")
                .hasMessageContaining("-device vhost-user-test-device-pci,id=ID,bus=PORT");
    }

    @Test
    void deviceOnABusWithoutHotUnplugIsRefusedWithWhatToDo() {
        vmm.answer("qom-get /machine/peripheral/balloon0 hotpluggable", "false");
        assertThatThrownBy(() -> refuse(BALLOON))
                .hasMessageContaining("\"balloon0\"")
                .hasMessageContaining("its bus port0 allows no hot-unplug")
                .hasMessageContaining("-device vhost-user-test-device-pci,id=balloon0,bus=PORT");
    }

    @Test
    void anotherDeviceOfTheSameDriverIsRefused() {
        vmm.answer(
                "query-migrate",
                "{'blocked-reasons': [" + OURS + ", 'non-migratable device: 0000:00:02.0/vhost-user-test-device']}");
        assertThatThrownBy(() -> refuse(BALLOON))
                .hasMessageContaining("can't migrate its guest: non-migratable device");
    }

    @Test
    void everyOtherReasonIsRefusedAsTheVmmTellsIt() {
        vmm.answer("query-migrate", "{'blocked-reasons': [" + OURS + ", 'VFIO device a', 'VirtFS is mounted']}");
        assertThatThrownBy(() -> refuse(BALLOON)).hasMessageContaining("VFIO device a; VirtFS is mounted");
    }

    @Test
    @Tag("VMM-15")
    void waitingVmmThatHasADeviceAlreadyIsRefused() throws IOException {
        MigrationBlockers blockers = new MigrationBlockers(qmp, true);
        vmm.answer("qom-list /machine/peripheral", "[{'name': 'port0', 'type': 'child<pcie-root-port>'}]");
        blockers.refuseDevicesOfAWaitingVmm();
        vmm.answer(
                "qom-list /machine/peripheral", "[{'name': 'balloon0', 'type': 'child<vhost-user-test-device-pci>'}]");
        assertThatThrownBy(blockers::refuseDevicesOfAWaitingVmm)
                .hasMessageContaining("already has balloon0: start it without");
    }

    @Test
    void vmmThatKnowsNothingOfReasonsAndPropertiesIsTakenToHaveNone() {
        vmm.answer("query-migrate", "{}").answer("qom-list /machine/peripheral-anon", "[]");
        assertThatCode(() -> new MigrationBlockers(qmp, false).refuse(List.of()))
                .doesNotThrowAnyException();
        assertThatCode(this::refuse).doesNotThrowAnyException();
    }
}
