package org.exomem.backend.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmTable;
import org.exomem.images.Sha256;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PagersTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final long SIZE = 1 << 20;

    @TempDir
    private Path folder;

    private final Migrations migrations = new Migrations(new VmTable(), state -> {});
    private final List<String> told = new CopyOnWriteArrayList<>();

    private Pagers pagers(Optional<Path> state) {
        return new Pagers(
                state.map(StateDirectory::new),
                migrations,
                vm -> Map.of(),
                paged -> told.add(paged.vm() + " " + paged.status().word()));
    }

    private PagerRecord record(String vm, long pid) throws IOException {
        Path ram = folder.resolve(vm + ".ram");
        SharedFile.create(ram, SIZE).close();
        return new PagerRecord(
                vm, folder.resolve("image"), Sha256.of(new byte[0]), (int) pid, folder.resolve("qmp"), List.of(ram));
    }

    private PagerFile file(String vm) throws IOException {
        return new PagerFile(new StateDirectory(folder.resolve("state")).pager(vm));
    }

    @Test
    @Tag("PGR-AGAIN-3")
    void withoutAStateDirectoryNoMemoryComesOnDemand() {
        try (Pagers pagers = pagers(Optional.empty())) {
            pagers.takeUp();
            assertThatThrownBy(() -> pagers.start("web", folder, folder))
                    .hasMessageContaining("exomem serve --state DIR");
            assertThat(pagers.states()).isEmpty();
        }
    }

    @Test
    void whatIsNoImageIsRefusedAndTheVmIsFreeAgain() {
        try (Pagers pagers = pagers(Optional.of(folder.resolve("state")))) {
            assertThatThrownBy(() -> pagers.start("web", folder.resolve("none"), folder))
                    .hasMessageContaining("there is no folder");
            migrations.reserve("web", "is being looked at");
            assertThatThrownBy(() -> pagers.start("web", folder, folder))
                    .isInstanceOf(VirtualMachine.Refused.class)
                    .hasMessageContaining("is being looked at");
        }
    }

    @Test
    @Tag("PGR-END-2")
    @Tag("PGR-AGAIN-3")
    void vmmThatHasEndedOrWhoseNumberIsAnothersIsForgotten() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("true").start();
        process.waitFor();
        file("gone").write(record("gone", process.pid()));
        file("other").write(record("other", ProcessHandle.current().pid()));
        try (Pagers pagers = pagers(Optional.of(folder.resolve("state")))) {
            pagers.takeUp();
            await().atMost(LIMIT)
                    .untilAsserted(
                            () -> assertThat(told).containsExactlyInAnyOrder("gone vmm-ended", "other vmm-ended"));
            assertThat(folder.resolve("state")).isEmptyDirectory();
            assertThat(pagers.states())
                    .hasSize(2)
                    .allSatisfy(paged -> assertThat(paged.status()).isEqualTo(PagedState.Status.VMM_ENDED));
            migrations.reserve("gone", "is free again");
        }
    }

    @Test
    void fileThatCannotBeUsedIsLeftAndKeepsNobodyElseWaiting() throws IOException {
        Files.createDirectory(folder.resolve("state"));
        Path broken = Files.writeString(folder.resolve("state").resolve("a.pager.json"), "{}");
        file("other").write(record("other", ProcessHandle.current().pid()));
        try (Pagers pagers = pagers(Optional.of(folder.resolve("state")))) {
            pagers.takeUp();
            await().atMost(LIMIT).until(() -> told.contains("other vmm-ended"));
            assertThat(broken).exists();
        }
    }

    @Test
    @Tag("PGR-ALONE-1")
    void vmWhoseMemoryFilesCannotBeOpenedWaitsAndIsTriedAgain() throws IOException {
        PagerRecord record = record("web", ProcessHandle.current().pid());
        file("web").write(record);
        Files.move(record.ram().getFirst(), folder.resolve("away"));
        try (Pagers pagers = pagers(Optional.of(folder.resolve("state")))) {
            pagers.takeUp();
            await().atMost(LIMIT).until(() -> told.contains("web stalled"));
            assertThat(pagers.states().getFirst().reason().orElseThrow()).contains("web.ram");
            assertThatThrownBy(() -> migrations.reserve("web", "is being saved"))
                    .hasMessageContaining("not all of it has arrived");
            Files.move(folder.resolve("away"), record.ram().getFirst());
            await().atMost(LIMIT).until(() -> told.contains("web vmm-ended"));
        }
    }
}
