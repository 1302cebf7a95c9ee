package org.exomem.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.exomem.backend.qmp.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code exomem demo}, with all of its processes. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class DemoTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    @Test
    void endsWithMigrationsClonesAndAPostCopyAndLeavesNoProcess() throws Exception {
        Set<ProcessHandle> before = children();
        StringWriter written = new StringWriter();
        Demo.run(new PrintWriter(written), false);
        assertThat(written.toString())
                .containsPattern(
                        "to a second exomem, without asking for free pages: 3\\d\\d\\S* MiB in \\d+ ms, paused for \\d+ ms")
                .containsPattern(
                        "and back, with a bitmap of its free pages: [2-7]\\d\\S* MiB in \\d+ ms, paused for \\d+ ms")
                .containsPattern("(?s)(the guest reads its 20 MiB there unchanged.*){2}")
                .containsPattern("before its memory: the guest runs there after a pause of \\d+ ms")
                .containsPattern("120\\S* MiB were missing then, and arrived at 100 MiB/s after the [1-9]\\d* pages")
                .contains("the guest reads its 120 MiB there unchanged")
                .containsPattern("hinted as free +0 +[67]\\d{4}\\b")
                .containsPattern("All steps succeeded, in [0-9.]+ s\\.\\R$");
        assertThat(children()).isEqualTo(before);
    }

    private static Set<ProcessHandle> children() {
        return ProcessHandle.current().children().collect(Collectors.toSet());
    }

    @Test
    void memoryThatIsNotWhatTheGuestWroteIsAFailure() throws Exception {
        try (Started started = new Started()) {
            DemoVmm vmm = DemoVmm.start(started, folder, folder, "vm", 16 * MIB);
            vmm.execute("x-load", Json.object().put("fill", 8 * MIB));
            assertThat(vmm.verify()).isEqualTo(8 * MIB);
            try (FileChannel ram = FileChannel.open(vmm.ram(), StandardOpenOption.WRITE)) {
                ram.write(ByteBuffer.allocate((int) (15 * MIB)), MIB);
            }
            assertThatThrownBy(vmm::verify)
                    .isInstanceOf(DemoFailure.class)
                    .hasMessageStartingWith("the guest's memory ");
        }
        assertThat(folder.resolve("vm.ram")).doesNotExist();
    }

    @Test
    void leavesNoProcessAndNoMemoryWhenItIsInterrupted() throws Exception {
        Process demo = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Djava.io.tmpdir=" + folder,
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        DemoMain.class.getName(),
                        "demo")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        Set<ProcessHandle> processes = new HashSet<>();
        try (BufferedReader lines = demo.inputReader()) {
            String line = lines.readLine();
            while (line != null && !line.contains("another guest")) {
                line = lines.readLine();
            }
            assertThat(line).isNotNull();
            demo.descendants().forEach(processes::add);
            List<Path> memories = memories(processes);
            assertThat(memories).hasSize(4);
            assertThat(Files.exists(memories.getFirst())).isTrue();
            demo.destroy();
            assertThat(demo.waitFor()).isNotZero();
            assertThat(memories).noneMatch(Files::exists);
            await().atMost(LIMIT).until(() -> processes.stream().noneMatch(ProcessHandle::isAlive));
            assertThat(folder).isEmptyDirectory();
        } finally {
            demo.destroyForcibly();
            processes.forEach(ProcessHandle::destroyForcibly);
        }
    }

    /** From the kernel itself: the JDK's ProcessHandle omits long command lines. */
    private static List<Path> memories(Set<ProcessHandle> processes) throws IOException {
        List<Path> files = new ArrayList<>();
        for (ProcessHandle process : processes) {
            String words = Files.readString(Path.of("/proc", String.valueOf(process.pid()), "cmdline"));
            Arrays.stream(words.split("\0", -1))
                    .filter(word -> word.startsWith("ram="))
                    .forEach(word -> files.add(Path.of(word.substring("ram=".length()))));
        }
        return files;
    }
}
