package org.exomem.backend.template;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.template.WaitingVmms.Waiting;
import org.exomem.images.manifest.ImageFolder;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** With programs in place of VMMs. A VMM that is started is {@code /bin/false}. */
@Timeout(60)
class CloningTest {
    @TempDir
    Path folder;

    private ImageFolder image;
    private CloneOptions options;

    @BeforeEach
    void makeTemplate() throws IOException {
        image = TestTemplate.make(
                folder.resolve("t"),
                "/bin/false",
                "-object",
                "memory-backend-file,id=ram,share=on,mem-path=/nowhere/ram,size=8192",
                "-machine",
                "q35,memory-backend=ram",
                "-qmp",
                "unix:/nowhere/a.qmp,server=on,wait=off");
        options = new CloneOptions(
                Files.createDirectory(folder.resolve("c")), Optional.empty(), Map.of(), Optional.empty());
    }

    /** Its socket is in the folder of the clone that it will become. */
    private Path waits(String name) throws IOException {
        Path qmp = Files.createDirectory(options.folder().resolve(name)).resolve("a.qmp");
        new WaitingVmms("web", image, options).add(new Waiting(name, qmp));
        return qmp;
    }

    private String fault() throws IOException {
        List<Cloning.Outcome> outcomes = new Cloning("web", image, options).start(1);
        return outcomes.getFirst().fault().orElseThrow();
    }

    @Test
    void waitingVmmsThatHaveEndedArePassedOverAndWhatTheyLeftIsRemoved() throws IOException {
        // One VMM left its socket behind, and the host of another was restarted.
        try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listening.bind(UnixDomainSocketAddress.of(waits("web-1")));
        }
        waits("web-2");
        assertThat(fault()).startsWith("the VMM /bin/false did not start");
        assertThat(options.folder()).isEmptyDirectory();
    }

    @Test
    @Tag("IMG-CLONE-12")
    void waitingVmmWithOtherReplacementsIsLeft() throws IOException {
        Path qmp = waits("web-1");
        options = new CloneOptions(
                options.folder(), Optional.empty(), Map.of("memory-backend", "memory-backend"), Optional.empty());
        assertThat(fault()).startsWith("the VMM /bin/false did not start");
        assertThat(qmp.resolveSibling("waiting")).exists();
    }

    @Test
    void vmmThatLoadsNoStateAndDoesNotQuitIsKilledAndTheReasonTold() throws Exception {
        Path qmp = waits("web-1");
        Process vmm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        WaitingProgram.class.getName(),
                        qmp.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (BufferedReader output = vmm.inputReader()) {
            assertThat(output.readLine()).isEqualTo("listens");
            assertThat(fault()).contains("does no query-migrate-capabilities").doesNotContain("quit");
            assertThat(vmm.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(options.folder()).isEmptyDirectory();
        } finally {
            vmm.destroyForcibly().waitFor();
        }
    }
}
