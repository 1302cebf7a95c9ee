package org.exomem.images.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.images.ImageException;
import org.exomem.images.manifest.ImageWriter.Step;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A process that saves a VM is killed after each step. */
@Tag("IMG-1")
class KilledSaveTest {
    @ParameterizedTest
    @EnumSource
    void imageIsThereWholeOrNotThere(Step last, @TempDir Path above) throws IOException, InterruptedException {
        Path folder = above.resolve("web");
        KilledProcess.run(Program.class, folder.toString(), last.name());

        if (last.compareTo(Step.MANIFEST_IS_IN_PLACE) >= 0) {
            assertThat(ImageFolder.open(folder).manifest().vm()).isEqualTo("web");
        } else {
            assertThatThrownBy(() -> ImageFolder.open(folder))
                    .isInstanceOfSatisfying(
                            ImageException.class, e -> assertThat(e.fault()).isEqualTo(ImageException.Fault.NO_IMAGE));
            // The remaining files do not prevent the next save.
            ImageWriter next = ImageWriter.begin(folder);
            assertThat(next.state()).doesNotExist();
            assertThat(folder).isDirectoryNotContaining("glob:**manifest*");
        }
    }

    /** Saves into a folder, and kills itself after a step. */
    static final class Program {
        private Program() {}

        public static void main(String[] arguments) throws IOException {
            Step last = Step.valueOf(arguments[1]);
            Saved.in(Path.of(arguments[0]), step -> {
                if (step == last) {
                    KilledProcess.kill();
                }
            });
        }
    }
}
