package org.exomem.backend.command;

import static java.nio.channels.FileChannel.MapMode.PRIVATE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.FileHolders;
import org.exomem.linux.process.MappedFiles;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RamCommandsTest {
    private static final String RAM = "exomem.0+4000000.ram";

    @TempDir
    private Path above;

    private String folder = "";

    @BeforeEach
    void name() {
        folder = above.resolve("web").toString();
    }

    private Path file() {
        return Path.of(folder, RAM);
    }

    private void create() {
        Ran ran = Ran.of("ram", "create", folder, "--size", "64M", "--any-fs");
        assertThat(ran.err()).isEmpty();
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).isEqualTo(file() + "  64 MiB" + System.lineSeparator());
    }

    @Test
    void createdFilesAreListedAndChecked() throws Exception {
        create();
        try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1 << 20), 1 << 20);
        }

        Ran table = Ran.of("ram", "list", folder);
        assertThat(table.out().lines().skip(1).toList())
                .singleElement()
                .asString()
                .matches("ram +0x0 +64 MiB +1 MiB +63 MiB +1 MiB +-");
        assertThat(Json.parse(Ran.of("ram", "list", folder, "--json").out().strip())
                        .path(0)
                        .path("holes")
                        .asLong())
                .isEqualTo(63 << 20);
        Ran check = Ran.of("ram", "check", folder, "--size", "64M", "--any-fs");
        assertThat(check.out()).startsWith(folder + ": 64 MiB of RAM in 1 file on ");
        assertThat(check.code()).isZero();
    }

    @Test
    void createMakesAllPartsWithTheirOffsets() {
        Ran ran = Ran.of("ram", "create", folder, "--block", "r0=64M", "--block", "r1=32M", "--reserve");

        assertThat(ran.code()).isZero();
        assertThat(Path.of(folder, "exomem.0+4000000.r0")).exists();
        assertThat(Path.of(folder, "exomem.4000000+2000000.r1")).exists();
        assertThat(Ran.of("ram", "check", folder, "--block", "r0=64M", "--block", "r1=32M")
                        .code())
                .isZero();
        Ran other = Ran.of("ram", "check", folder, "--block", "r0=32M", "--block", "r1=64M");
        assertThat(other.code()).isEqualTo(ExitCode.FAILED);
        assertThat(other.err()).contains("has \"r0\" with 64 MiB at offset 0 B, expected was one with 32 MiB");
    }

    @Test
    void whatIsThereIsNotOverwritten() {
        create();

        Ran again = Ran.of("ram", "create", folder, "--size", "64M");
        assertThat(again.code()).isEqualTo(ExitCode.FAILED);
        assertThat(again.err()).contains(file() + " already exists");
    }

    @Test
    void filesOfAnotherSizeAreNotMadeBesideThoseOfAVm() {
        create();

        Ran other = Ran.of("ram", "create", folder, "--size", "128M");
        assertThat(other.code()).isEqualTo(ExitCode.FAILED);
        assertThat(other.err()).contains(file() + " already exists");
        assertThat(Ran.of("ram", "check", folder, "--size", "64M").code()).isZero();
    }

    @Test
    void whatCantBeReservedIsToldWithTheRoomThatThereIs() {
        Ran ran = Ran.of("ram", "create", folder, "--size", "8T", "--reserve", "--any-fs");
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err())
                .contains("not enough space for 8 TiB in " + folder)
                .contains(" left");
        assertThat(file().getParent()).isEmptyDirectory();
    }

    @Test
    void aFolderThatCantBeMadeIsToldWithTheReason() throws IOException {
        Path file = Files.writeString(above.resolve("file"), "");
        Ran ran = Ran.of("ram", "create", file.resolve("web").toString(), "--size", "64M");
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).matches("exomem: .*" + Pattern.quote(file.toString()) + ".*: \\S+ .*\n");
    }

    @Test
    void truncatedFileIsTold() throws IOException {
        create();
        try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.WRITE)) {
            channel.truncate(4096);
        }

        Ran ran = Ran.of("ram", "check", folder);
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).contains("truncated");
    }

    @Test
    void slowFileSystemIsWarnedOfUnlessThatIsAllRight() throws IOException {
        create();
        boolean disk = !Ran.of("ram", "check", folder).err().isEmpty();

        assertThat(disk).isEqualTo(!Files.getFileStore(above).type().equals("tmpfs"));
        assertThat(Ran.of("ram", "check", folder, "--any-fs").err()).isEmpty();
    }

    /** A separate process, because the command runs in this JVM and so has the test's own mappings. */
    private static Process holding(Path file) throws IOException {
        Process process = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Holding.class.getName(),
                        file.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertThat(process.getInputStream().read()).isEqualTo('m');
        return process;
    }

    /** Has a file mapped shared until its input ends. */
    static final class Holding {
        private Holding() {}

        public static void main(String[] arguments) throws IOException {
            try (SharedFile file = SharedFile.open(Path.of(arguments[0]));
                    Mapping mapping = Mapping.of(file, 0, file.size())) {
                System.out.print("m");
                System.out.flush();
                System.in.read();
            }
        }
    }

    @Test
    void filesThatAreInUseAreNotRemoved() throws Exception {
        create();
        Process process = holding(file());
        try {
            String holder = "java " + process.pid();
            assertThat(Ran.of("ram", "list", folder).out()).contains(holder);
            Ran refused = Ran.of("ram", "remove", folder);
            assertThat(refused.code()).isEqualTo(ExitCode.FAILED);
            assertThat(refused.err()).contains(holder, "nothing is removed");
            assertThat(file()).exists();
            process.getOutputStream().close();
            assertThat(process.waitFor(10, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }

        Ran removed = Ran.of("ram", "remove", folder);
        assertThat(removed.out()).isEqualTo("removed " + file() + System.lineSeparator());
        assertThat(Path.of(folder)).isEmptyDirectory();
    }

    @Test
    void privateMappingsAreSeenToo() throws IOException {
        create();
        try (FileChannel channel = FileChannel.open(file(), StandardOpenOption.READ, StandardOpenOption.WRITE);
                SharedFile open = SharedFile.openForReading(file());
                Arena arena = Arena.ofShared()) {
            channel.map(PRIVATE, 0, 4096, arena);

            assertThat(FileHolders.of(List.of(MappedFiles.nameOf(open))))
                    .singleElement()
                    .satisfies(holder -> {
                        assertThat(holder.pid())
                                .isEqualTo((int) ProcessHandle.current().pid());
                        assertThat(holder.shared()).isFalse();
                    });
        }
    }

    @Test
    void filesOfASavedVmAreRemovedWithForceOnly() throws IOException {
        create();
        Files.writeString(Path.of(folder, "manifest.json"), "{}");

        Ran refused = Ran.of("ram", "remove", folder);
        assertThat(refused.code()).isEqualTo(ExitCode.FAILED);
        assertThat(refused.err()).contains("holds a saved VM");
        assertThat(Ran.of("ram", "remove", folder, "--force").code()).isZero();
        assertThat(file()).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "ram create DIR | the size is missing",
                "ram create DIR --size 8X | is not a size",
                "ram create DIR --size 4097 | not a multiple of 4 KiB",
                "ram create DIR --size 8G --block a=1G | exclude each other",
                "ram create DIR --block a=1G --block a=1G | two parts of RAM have the name \"a\"",
                "ram create DIR --block a | is not NAME=SIZE",
                "ram create DIR --block ../a=1G | not a valid name of a part of RAM",
                "ram create DIR --name x --block a=1G | --name needs --size",
                "ram create | DIR is missing",
                "ram | \"ram\" requires a subcommand: ram create, ram list, ram check, ram remove",
            })
    void wrongWordsAreExplained(String words, String why) {
        Ran ran = Ran.of(words.replace("DIR", folder).split(" ", -1));

        assertThat(ran.code()).isEqualTo(ExitCode.USAGE);
        assertThat(ran.err()).contains(why);
        assertThat(Path.of(folder)).doesNotExist();
    }

    @Test
    void whatIsNotThereIsTold() {
        assertThat(Ran.of("ram", "list", folder).err()).contains("there is no folder " + folder);
        create();
        assertThat(Ran.of("ram", "remove", folder, "swap").err()).contains("no RAM file of \"swap\"");
        assertThat(Ran.of("ram", "remove", folder, "ram").code()).isZero();
        assertThat(Ran.of("ram", "remove", folder).err()).contains("there is no RAM file");
        assertThat(Ran.of("ram", "check", folder).err()).contains("there is no RAM file");
    }
}
