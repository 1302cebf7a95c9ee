package org.exomem.backend.launch;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VmmLaunchTest {
    @TempDir
    private Path folder;

    private static VmmCommandLine line(Path program) {
        return VmmCommandLine.of(List.of(program.toString(), "-m", "1G"));
    }

    @Test
    void aProgramThatIsNotThereIsNamedWithWhatToDo() {
        Path program = folder.resolve("qemu");
        assertThatThrownBy(() -> VmmLaunch.start(line(program), folder))
                .isInstanceOf(IOException.class)
                .hasMessage("the VMM " + program + " can't be started: there is no such file; name another one with"
                        + " --vmm");
    }

    @Test
    void aFileThatIsNoProgramIsToldAsThat() throws IOException {
        Path program = Files.writeString(folder.resolve("qemu"), "text");
        assertThatThrownBy(() -> VmmLaunch.start(line(program), folder))
                .hasMessageContaining("it is not a program that this user may run");
    }

    @Test
    void aFolderThatHasGoneIsToldAsThat() {
        Path gone = folder.resolve("gone");
        assertThatThrownBy(() -> VmmLaunch.start(line(Path.of("/bin/true")), gone))
                .hasMessageContaining("its working folder " + gone + " does not exist");
    }

    @Test
    void whatAVmmSaysThatDoesNotStartIsToldOn() {
        assertThatThrownBy(() -> VmmLaunch.start(VmmCommandLine.of(List.of("/bin/ls", "-Q", "/no/such")), folder))
                .hasMessageStartingWith("the VMM /bin/ls did not start: ");
    }
}
