package org.exomem.backend.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.ExomemProcess;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.vmm.GenericDevice;
import org.exomem.backend.vmm.ScriptedVmm;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.TakenImage;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Restores VMs with a program in place of the VMM. */
@Timeout(120)
class RestoreTest {
    @TempDir
    Path folder;

    private HeldUpStart vmm;

    @BeforeEach
    void makeProgram() throws Exception {
        vmm = new HeldUpStart(folder);
    }

    /** {@code exomem restore}, while its VMM starts. */
    private Process starting(String... words) throws IOException {
        Process exomem = ExomemProcess.of(words)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("said").toFile())
                .start();
        vmm.awaitStart();
        return exomem;
    }

    /** Sends a signal. Returns when the process handles it. */
    private void signal(Process exomem, String signal) throws Exception {
        assertThat(new ProcessBuilder("kill", "-" + signal, Long.toString(exomem.pid()))
                        .start()
                        .waitFor())
                .isZero();
        await().atMost(Duration.ofSeconds(40))
                .until(() -> Files.readString(folder.resolve("said")).contains("cancelled: "));
    }

    @ParameterizedTest
    @CsvSource({"INT, 130", "TERM, 143"})
    @Tag("IMG-RESTORE-3")
    @Tag("IMG-RESTORE-7")
    void imageThatIsTakenIsGivenBackAtASignal(String signal, int code) throws Exception {
        Path image = vmm.image(Optional.empty());
        Process exomem = starting("restore", image.toString(), "--take");
        try {
            assertThatThrownBy(() -> ImageFolder.open(image)).hasMessageContaining("has just been taken");
            signal(exomem, signal);
            vmm.end(0);
            assertThat(exomem.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(exomem.exitValue()).isEqualTo(code);
            assertThat(image.resolve(ImageFolder.MANIFEST)).exists();
            assertThat(ImageFolder.open(image).manifest().vm()).isEqualTo("web");
        } finally {
            exomem.destroyForcibly();
        }
    }

    @Test
    @Tag("IMG-RESTORE-7")
    void copyOfTheMemoryIsRemovedAtASignal() throws Exception {
        Process exomem = starting("restore", vmm.image(Optional.empty()).toString());
        try {
            assertThat(vmm.ram()).exists();
            signal(exomem, "TERM");
            vmm.end(0);
            assertThat(exomem.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(vmm.ram()).doesNotExist();
        } finally {
            exomem.destroyForcibly();
        }
    }

    @Test
    @Tag("IMG-RESTORE-6")
    void imageThatAKilledProcessHasTakenIsTakenAgain() throws Exception {
        Path image = vmm.image(Optional.empty());
        Process exomem = starting("restore", image.toString(), "--take");
        exomem.destroyForcibly().waitFor();
        vmm.end(1);

        assertThatThrownBy(() -> ImageWriter.begin(image)).hasMessageContaining("holds a saved VM already");
        try (TakenImage taken = ImageFolder.open(image).take()) {
            taken.giveBack();
        }
        assertThat(image.resolve(ImageFolder.MANIFEST)).exists();
    }

    @Test
    @Tag("IMG-RESTORE-3")
    void guestRunsOnWithoutDevicesThatCannotBeAskedFor() throws Exception {
        GenericDevice balloon = new GenericDevice("vhost-user-device-pci", "balloon0", "pcie.0", 5, 5, 128, 16);
        String devices = new String(
                new MovedDevices(Map.of("balloon", balloon), Map.of(), OptionalLong.empty(), true).toBytes(),
                StandardCharsets.UTF_8);
        Path image = vmm.image(Optional.of(devices));
        List<String> notes = new CopyOnWriteArrayList<>();
        Restore restore = new Restore(
                ImageFolder.open(image),
                new Restore.Options(Restore.Memory.TAKEN, Optional.empty(), Map.of()),
                (done, all) -> {},
                notes::add);
        try (ExecutorService executor = Executors.newSingleThreadExecutor()) {
            Future<Restore.Result> result = executor.submit(() -> restore.run(
                    vm -> {
                        throw new IOException("no process answers on the control socket");
                    },
                    new NoPaging()));
            vmm.awaitStart();
            try (ScriptedVmm scripted = new ScriptedVmm(vmm.qmp())) {
                scripted.answer("query-commands", "[]")
                        .answer("query-status", "{'status': 'inmigrate', 'running': false}")
                        .answer("query-migrate-capabilities", "[]")
                        .answer("migrate-set-capabilities", "{}")
                        .answer("migrate-incoming", "{}")
                        .answer("query-migrate", "{'status': 'completed'}")
                        .answer("cont", "{}");
                vmm.end(0);

                assertThat(result.get(60, TimeUnit.SECONDS).running()).isTrue();
                assertThat(scripted.asked("cont", "quit")).containsExactly("cont");
            }
        }
        assertThat(notes)
                .singleElement()
                .asString()
                .isEqualTo("VM \"web\" runs; its devices could not be plugged in: no process answers on the control"
                        + " socket");
        assertThatThrownBy(() -> ImageFolder.open(image)).hasMessageContaining("a VM has run on its RAM files");
        // This has no effect any more.
        restore.breakOff();
    }

    /** Never called. */
    private static final class NoPaging implements Restore.Paging {
        @Override
        public void begin(String vm, Path image, Path qmp) {
            throw new IllegalStateException();
        }

        @Override
        public Optional<String> trouble(String vm) {
            return Optional.empty();
        }
    }
}
