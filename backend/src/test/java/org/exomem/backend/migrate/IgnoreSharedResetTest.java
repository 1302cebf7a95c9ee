package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.vm.VmTable;
import org.exomem.backend.vmm.IgnoreShared;
import org.exomem.backend.vmm.IgnoreSharedFile;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class IgnoreSharedResetTest {
    private static final String SHARED = "x-ignore-shared";

    @TempDir
    private Path folder;

    private Collection<Path> sockets() {
        return List.of(folder.resolve("balloon"));
    }

    private IgnoreSharedFile note() {
        return IgnoreSharedFile.of(sockets(), IgnoreSharedFile.End.SOURCE).orElseThrow();
    }

    private EmbeddedGuest guest() throws IOException {
        return EmbeddedGuest.start(EmbeddedOptions.of(folder.resolve("ram"), 4 << 20, folder.resolve("qmp")));
    }

    /** Makes a VMM leave out its memory for good, like an exomem that is killed at that moment. */
    private void ignoreSharedForGood(EmbeddedGuest guest) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(guest.options().qmp())) {
            vmm.noteIn(Optional.of(note()));
            assertThat(vmm.ignoreShared()).isNotNull();
        }
        assertThat(leavesMemory(guest)).isTrue();
    }

    private static boolean leavesMemory(EmbeddedGuest guest) throws IOException {
        try (QmpSession qmp = QmpSession.connect(guest.options().qmp())) {
            return qmp.execute("query-migrate-capabilities")
                    .path(0)
                    .path("state")
                    .asBoolean();
        }
    }

    private static void ignoreSharedByItsUser(EmbeddedGuest guest) throws IOException {
        ObjectNode arguments = Json.object();
        arguments.putArray("capabilities").addObject().put("capability", SHARED).put("state", true);
        try (QmpSession qmp = QmpSession.connect(guest.options().qmp())) {
            qmp.execute("migrate-set-capabilities", arguments);
        }
    }

    @Test
    @Tag("VMM-22")
    void theNextExomemTakesBackWhatAKilledOneHasLeft() throws Exception {
        try (EmbeddedGuest guest = guest();
                BackendProcess next = new BackendProcess()) {
            ignoreSharedForGood(guest);
            next.start(
                    new ServeConfig(
                                    Optional.empty(),
                                    List.of(ServeConfig.balloon("vm=web,socket=" + folder.resolve("balloon"))),
                                    List.of(),
                                    Optional.empty())
                            .checked(),
                    Optional.empty());
            await().until(() -> !note().isThere());
            assertThat(leavesMemory(guest)).isFalse();
        }
    }

    @Test
    @Tag("VMM-22")
    void aMigrationOfOursIsWaitedForAndTakesItBackItself() throws Exception {
        try (EmbeddedGuest guest = guest();
                Migrations migrations = new Migrations(VmTable.of(), state -> {});
                IgnoreSharedReset taken = new IgnoreSharedReset(migrations, () -> {})) {
            ignoreSharedForGood(guest);
            migrations.reserve("web", "is being moved");
            taken.look("web", sockets());
            try (QmpVmm vmm = QmpVmm.connect(guest.options().qmp())) {
                vmm.noteIn(Optional.of(note()));
                try (IgnoreShared _ = vmm.ignoreShared()) {
                    assertThat(note().read().pid())
                            .isEqualTo((int) ProcessHandle.current().pid());
                }
            }
            assertThat(leavesMemory(guest)).isFalse();
            assertThat(note().path()).doesNotExist();
        }
    }

    @Test
    @Tag("VMM-22")
    void itIsTakenBackWhenTheVmIsFreeAgain() throws Exception {
        try (EmbeddedGuest guest = guest();
                Migrations migrations = new Migrations(VmTable.of(), state -> {});
                IgnoreSharedReset taken = new IgnoreSharedReset(migrations, () -> {})) {
            ignoreSharedForGood(guest);
            migrations.reserve("web", "is being moved");
            taken.look("web", sockets());
            assertThat(leavesMemory(guest)).isTrue();
            migrations.release("web");
            await().until(() -> !note().isThere());
            assertThat(leavesMemory(guest)).isFalse();
        }
    }

    @Test
    @Tag("VMM-22")
    void whatItsUserHasSetStays() throws Exception {
        try (EmbeddedGuest guest = guest();
                Migrations migrations = new Migrations(VmTable.of(), state -> {});
                IgnoreSharedReset taken = new IgnoreSharedReset(migrations, () -> {})) {
            ignoreSharedByItsUser(guest);
            try (QmpVmm vmm = QmpVmm.connect(guest.options().qmp())) {
                vmm.noteIn(Optional.of(note()));
                vmm.ignoreShared().close();
            }
            taken.look("web", sockets());
            assertThat(leavesMemory(guest)).isTrue();
            // The file of a VMM that has ended; by now another VMM serves the socket.
            Files.writeString(
                    note().path(),
                    "{\"version\": 1, \"pid\": " + Integer.MAX_VALUE + ", \"qmp\": \"" + folder.resolve("qmp") + "\"}");
            taken.look("web", sockets());
            await().until(() -> !note().isThere());
            assertThat(leavesMemory(guest)).isTrue();
        }
    }

    @Test
    void aFileThatCannotBeUsedIsLeft() throws Exception {
        Files.writeString(note().path(), "{}");
        try (Migrations migrations = new Migrations(VmTable.of(), state -> {});
                IgnoreSharedReset taken = new IgnoreSharedReset(migrations, () -> {})) {
            taken.look("web", sockets());
            assertThat(note().path()).exists();
        }
    }

    @Test
    @Tag("VMM-22")
    void bothEndsOfAMigrationNoteItUntilItIsTakenBack() throws Exception {
        List<String> seen = new CopyOnWriteArrayList<>();
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.watcher = state -> {
                if (state.status() == Status.DEVICE) {
                    seen.addAll(notes());
                }
            };
            hosts.migrate(hosts.request());
            hosts.assertMoved();
        }
        assertThat(seen).contains("a.balloon.source-leaves-memory");
        assertThat(notes()).isEmpty();
    }

    private List<String> notes() {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith("-leaves-memory"))
                    .toList();
        } catch (IOException e) {
            return List.of(e.toString());
        }
    }
}
