package org.exomem.migration.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.Pages;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImagePagesTest {
    private static final long SIZE = 8L * Pages.SIZE;

    @TempDir
    Path folder;

    @Test
    @Tag("PGR-OWED-1")
    void pagesThatWereCutOffAreNotTakenForZeros() throws IOException {
        Path path = folder.resolve("ram");
        try (SharedFile saved = SharedFile.create(path, SIZE);
                Arena arena = Arena.ofConfined();
                MemoryImage memory = new MemoryImage(List.of(new ImageFile("ram", SharedFile.memfd("ram", SIZE))))) {
            MemorySegment page = arena.allocate(Pages.SIZE).fill((byte) 1);
            saved.write(7L * Pages.SIZE, page);
            try (ImagePages pages = new ImagePages(List.of(path))) {
                assertThat(pages.owedTo(memory).contains(7)).isTrue();
                saved.truncate(Pages.SIZE);
                assertThatThrownBy(() -> pages.owedTo(memory)).hasMessageContaining("was truncated");
            }
        }
    }
}
