package org.exomem.vmm;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The command line of a JVM that runs {@code exomem} from this program's class path. Tests start hundreds of them, so
 * they share an archive of classes, which halves the processor time of a start. The archive is made once in this
 * process, if the class path permits.
 */
final class ExomemJvm {
    private static final String MAIN = "org.exomem.app.Main";
    private static final int TRAINING_SECONDS = 60;

    private ExomemJvm() {}

    private static final class Shared {
        static final String CLASS_PATH = classPath();
        static final Optional<Path> ARCHIVE = archive(CLASS_PATH);
    }

    /** Returns the command line that runs {@code exomem} with these words. */
    static List<String> words(String... words) {
        List<String> options = new ArrayList<>();
        Shared.ARCHIVE.ifPresent(archive -> options.add("-XX:SharedArchiveFile=" + archive));
        return command(options, Shared.CLASS_PATH, words);
    }

    private static List<String> command(List<String> options, String classPath, String... words) {
        List<String> all = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                // The process ends before the better compiler would pay off.
                "-XX:TieredStopAtLevel=1",
                // As the launcher does. Remarks about the archive would be in the output that tests read.
                "-Xlog:disable",
                "-Xlog:all=error,aot*=off,cds*=off:stderr",
                "--enable-native-access=ALL-UNNAMED"));
        all.addAll(options);
        all.addAll(List.of("-cp", classPath, MAIN));
        all.addAll(List.of(words));
        return all;
    }

    /** The class path without the folders of these tests: a JVM archives no classes of a class path with folders. */
    private static String classPath() {
        // Surefire may use a class path with a single jar that names the others.
        String all = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        return Stream.of(all.split(File.pathSeparator))
                .filter(part -> !Files.isDirectory(Path.of(part, "org", "exomem", "vmm")))
                .collect(Collectors.joining(File.pathSeparator));
    }

    /** Makes the archive; empty if that is impossible. */
    private static Optional<Path> archive(String classPath) {
        if (Stream.of(classPath.split(File.pathSeparator)).anyMatch(part -> Files.isDirectory(Path.of(part)))) {
            return Optional.empty();
        }
        try {
            Path folder = Files.createTempDirectory("exomem-classes");
            Path archive = folder.resolve("archive");
            folder.toFile().deleteOnExit();
            archive.toFile().deleteOnExit();
            // Other users may run it.
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
            train(folder, command(List.of("-XX:ArchiveClassesAtExit=" + archive), classPath, trainingWords(folder)));
            return Files.exists(archive) ? Optional.of(archive) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static String[] trainingWords(Path folder) {
        return new String[] {
            "serve",
            "--control",
            folder.resolve("control").toString(),
            "--balloon",
            "vm=a,socket=" + folder.resolve("balloon.sock"),
            "--mem",
            "vm=a,id=m,socket=" + folder.resolve("mem.sock") + ",addr=4G,size=1G"
        };
    }

    /** Starts a process that serves, waits until it answers, and ends it. */
    private static void train(Path folder, List<String> command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            BackEnd.connect(process, folder.resolve("control")).close();
            process.destroy();
            process.waitFor(TRAINING_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while classes are archived", e);
        } finally {
            process.destroyForcibly();
        }
    }
}
