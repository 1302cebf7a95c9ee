package org.exomem.backend.template;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.exomem.backend.template.WaitingVmms.Waiting;
import org.exomem.images.manifest.ImageFolder;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("IMG-CLONE-12")
class WaitingVmmsTest {
    private static final Map<String, String> REPLACED = Map.of("web.qcow2", "web-{n}.qcow2", "br0", "br1");

    @TempDir
    Path folder;

    private ImageFolder image;
    private Waiting one;

    @BeforeEach
    void make() throws IOException {
        image = TestTemplate.make(folder.resolve("t"), "qemu");
        Files.createDirectory(folder.resolve("web-3"));
        one = new Waiting("web-3", folder.resolve("web-3").resolve("a.qmp"));
    }

    private WaitingVmms vmms(Map<String, String> replacements, Optional<Path> program) {
        return new WaitingVmms("web", image, new CloneOptions(folder, program, replacements, Optional.empty()));
    }

    @Test
    void oneIsTakenOnceByWhoWantsJustThis() throws IOException {
        Optional<Path> program = Optional.of(Path.of("/usr/bin/qemu"));
        vmms(REPLACED, program).add(one);
        assertThat(vmms(REPLACED, program).take()).contains(one);
        assertThat(vmms(REPLACED, program).take()).isEmpty();
    }

    @Test
    void oneWithOtherOptionsWaitsOn() throws IOException {
        vmms(REPLACED, Optional.empty()).add(one);
        assertThat(vmms(Map.of(), Optional.empty()).take()).isEmpty();
        assertThat(vmms(Map.of("web.qcow2", "web-{name}.qcow2", "br0", "br1"), Optional.empty())
                        .take())
                .isEmpty();
        assertThat(vmms(REPLACED, Optional.of(Path.of("/usr/bin/qemu"))).take()).isEmpty();
        assertThat(vmms(REPLACED, Optional.empty()).take()).contains(one);
    }

    @Test
    void oneOfAnotherTemplateOfThatNameWaitsOn() throws IOException {
        vmms(Map.of(), Optional.empty()).add(one);
        image = TestTemplate.make(folder.resolve("u"), "another-qemu");
        assertThat(vmms(Map.of(), Optional.empty()).take()).isEmpty();
    }

    @Test
    void oneWhoseFileIsNotWholeYetIsLeft() throws IOException {
        WaitingVmms vmms = vmms(Map.of(), Optional.empty());
        vmms.add(one);
        Path file = folder.resolve("web-3").resolve("waiting");
        String whole = Files.readString(file);
        Files.writeString(file, whole.substring(0, whole.length() - 3));
        assertThat(vmms.take()).isEmpty();
        assertThat(file).exists();
    }
}
