package org.exomem.backend.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.images.signature.ImageSignature;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TemplatesTest {
    private static final RamFileName RAM = new RamFileName(0, 8192, "ram");

    @TempDir
    Path folder;

    @Test
    void templatesAreWhereTheUserKeepsStateOrWhereRootDoes() {
        assertThat(Templates.of(Map.of("XDG_STATE_HOME", "/s", "HOME", "/h"), "ann"))
                .isEqualTo(Path.of("/s/exomem/templates"));
        assertThat(Templates.of(Map.of("HOME", "/h"), "ann")).isEqualTo(Path.of("/h/.local/state/exomem/templates"));
        assertThat(Templates.of(Map.of("HOME", "/root"), "root")).isEqualTo(Path.of("/var/lib/exomem/templates"));
        assertThat(Templates.of(Map.of(), "ann")).isEqualTo(Path.of("/var/lib/exomem/templates"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "../x", "a/b", ".a", "-a", "a\nb", "a b"})
    void nameThatCouldLeaveTheFolderIsRefused(String name) {
        assertThatIllegalArgumentException().isThrownBy(() -> new Templates(folder).path(name));
    }

    @Test
    void damagedTemplateIsListedWithItsFaultAndCanBeRemoved() throws IOException {
        Templates templates = new Templates(folder);
        make(templates, "good");
        make(templates, "bad");
        Files.delete(templates.path("bad").resolve(RAM.file()));
        List<Templates.Found> found = templates.list();
        assertThat(found).extracting(Templates.Found::name).containsExactly("bad", "good");
        assertThat(found.getFirst().fault())
                .hasValueSatisfying(fault -> assertThat(fault).contains(RAM.file()));
        assertThat(found.getLast().image()).isPresent();
        templates.remove("bad");
        assertThat(templates.list()).hasSize(1);
        assertThatThrownBy(() -> templates.open("bad")).hasMessageContaining("there is no template \"bad\"");
    }

    @Test
    @Tag("IMG-CLONE-2")
    void allRamIsReadOnceAndAgainWhenAFileHasChanged() throws IOException {
        Templates templates = new Templates(folder);
        ImageFolder image = make(templates, "t");
        assertThat(CheckedTemplate.check(image, Optional.empty())).isTrue();
        assertThat(CheckedTemplate.check(image, Optional.empty())).isFalse();
        Files.writeString(image.ram(RAM), "x".repeat(8192));
        assertThatThrownBy(() -> CheckedTemplate.check(image, Optional.empty())).hasMessageContaining(RAM.file());
        // A template that fails the check does not count as checked the next time.
        assertThatThrownBy(() -> CheckedTemplate.check(image, Optional.empty())).hasMessageContaining(RAM.file());
    }

    @Test
    @Tag("IMG-CLONE-8")
    void templateThatSomebodyHasOpenForWritingIsRefused() throws IOException {
        ImageFolder image = make(new Templates(folder), "t");
        CheckedTemplate.check(image, Optional.empty());
        try (SharedFile writable = SharedFile.open(image.ram(RAM))) {
            assertThatThrownBy(() -> CheckedTemplate.check(image, Optional.empty()))
                    .hasMessageContaining(RAM.file())
                    .hasMessageContaining("open for writing");
            try (Mapping mapping = Mapping.of(writable, 0, 4096)) {
                writable.close();
                assertThatThrownBy(() -> CheckedTemplate.check(image, Optional.empty()))
                        .hasMessageContaining("open for writing");
                assertThat(mapping.segment().byteSize()).isEqualTo(4096);
            }
        }
        assertThat(CheckedTemplate.check(image, Optional.empty())).isFalse();
    }

    @Test
    @Tag("IMG-CLONE-9")
    void changesOfATemplateAreNoticedWithoutReadingIt() throws IOException {
        ImageFolder image = make(new Templates(folder), "t");
        assertThat(CheckedTemplate.hasChanged(image)).isFalse();
        CheckedTemplate.check(image, Optional.empty());
        assertThat(CheckedTemplate.hasChanged(image)).isFalse();
        TemplateFiles before = TemplateFiles.of(image);
        assertThat(before.change()).isEmpty();
        try (SharedFile writable = SharedFile.open(image.ram(RAM))) {
            assertThat(before.change())
                    .hasValueSatisfying(why -> assertThat(why).contains("open for writing"));
            try (Mapping mapping = Mapping.of(writable, 0, 4096)) {
                mapping.segment().set(ValueLayout.JAVA_BYTE, 17, (byte) 1);
            }
        }
        assertThat(before.change()).hasValueSatisfying(why -> assertThat(why).contains(RAM.file(), "was written to"));
        assertThat(CheckedTemplate.hasChanged(image)).isTrue();
        TemplateFiles written = TemplateFiles.of(image);
        Path copy = Files.copy(image.ram(RAM), folder.resolve("copy"));
        Files.move(copy, image.ram(RAM), StandardCopyOption.REPLACE_EXISTING);
        assertThat(written.change()).hasValueSatisfying(why -> assertThat(why).contains("was replaced"));
        Files.delete(image.ram(RAM));
        assertThat(written.change()).hasValueSatisfying(why -> assertThat(why).contains("was removed"));
    }

    private static ImageFolder make(Templates templates, String name) throws IOException {
        ImageWriter writer = ImageWriter.begin(templates.path(name));
        RamFiles.in(templates.path(name)).create(List.of(RAM), RamFiles.Room.ON_DEMAND);
        Files.writeString(writer.state(), "state");
        return writer.finish(
                new ImageWriter.Description(
                        "1",
                        "vm",
                        Instant.EPOCH,
                        true,
                        new Manifest.Vmm("QEMU", "11", List.of("qemu")),
                        List.of(RAM),
                        Optional.empty()),
                ImageSignature.digests());
    }
}
