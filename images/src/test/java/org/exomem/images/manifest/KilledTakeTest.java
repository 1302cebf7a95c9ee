package org.exomem.images.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A process that starts a VM on an image's own RAM files is killed after each step. */
@Tag("IMG-RESTORE-6")
class KilledTakeTest {
    /** The last step of the process. */
    enum Step {
        TAKEN,
        USED_UP,
        GIVEN_BACK,
        TAKEN_AGAIN
    }

    @ParameterizedTest
    @EnumSource
    void imageIsWholeUnlessItsGuestMayHaveRun(Step last, @TempDir Path above) throws IOException, InterruptedException {
        Path folder = above.resolve("web");
        Saved.in(folder, step -> {});

        KilledProcess.run(Program.class, folder.toString(), last.name());

        if (last == Step.USED_UP) {
            assertThatThrownBy(() -> ImageFolder.open(folder))
                    .hasMessageContaining("a VM has run on its RAM files")
                    .isInstanceOfSatisfying(
                            ImageException.class, e -> assertThat(e.fault()).isEqualTo(Fault.NO_IMAGE));
            ImageWriter.begin(folder);
        } else {
            assertThatThrownBy(() -> ImageWriter.begin(folder)).hasMessageContaining("holds a saved VM already");
            ImageFolder image = ImageFolder.open(folder);
            assertThat(image.state()).hasBinaryContent(Saved.STATE);
            try (TakenImage taken = image.take()) {
                taken.giveBack();
            }
            assertThat(folder.resolve(ImageFolder.MANIFEST)).exists();
        }
    }

    /** Takes an image, and kills itself after a step. */
    static final class Program {
        private Program() {}

        public static void main(String[] arguments) throws IOException {
            Path folder = Path.of(arguments[0]);
            Step last = Step.valueOf(arguments[1]);
            try (TakenImage taken = ImageFolder.open(folder).take()) {
                after(Step.TAKEN, last);
                taken.useUp();
                after(Step.USED_UP, last);
                taken.giveBack();
                after(Step.GIVEN_BACK, last);
            }
            try (TakenImage _ = ImageFolder.open(folder).take()) {
                after(Step.TAKEN_AGAIN, last);
            }
        }

        private static void after(Step step, Step last) {
            if (step == last) {
                KilledProcess.kill();
            }
        }
    }
}
