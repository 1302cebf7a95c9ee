package org.exomem.benchmarks;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The duration of {@code exomem vms}, from the start of the launcher to the end, compared with a JVM that does nothing.
 */
@Command(
        name = "command-start",
        mixinStandardHelpOptions = true,
        description =
                "Time of \"exomem vms\", compared with a bare JVM with the same options and its own cache, alternating.")
final class CommandStart extends Benchmark {
    private static final double WANTED_RATIO = 1.5;
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final List<String> CACHES = List.of("-XX:AOTCache=", "-XX:AOTCacheOutput=");

    @Option(names = "--rounds", description = "Starts of each, alternating. Default: ${DEFAULT-VALUE}")
    private int rounds = 41;

    @Override
    List<Figure> measure() throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        try (ServeProcess exomem = ServeProcess.start(List.of("vm0"))) {
            List<String> vms = command(exomem, "vms");
            List<String> bare = bareJvm(folder, javaOf(command(exomem, "hints", "vm0", "--follow")));
            // Once each before the measurement, so that the files are in memory.
            millis(bare);
            millis(vms);
            List<Double> bareMillis = new ArrayList<>();
            List<Double> vmsMillis = new ArrayList<>();
            List<Double> ratios = new ArrayList<>();
            for (int i = 0; i < rounds; i++) {
                bareMillis.add(millis(bare));
                vmsMillis.add(millis(vms));
                ratios.add(vmsMillis.getLast() / bareMillis.getLast());
            }
            return List.of(
                    Figure.of("bare JVM, median", Median.of(bareMillis), "ms"),
                    Figure.of("exomem vms, median", Median.of(vmsMillis), "ms"),
                    Figure.of("exomem vms / bare JVM, median", Median.of(ratios), "")
                            .atMost(WANTED_RATIO));
        } finally {
            try (var files = Files.list(folder)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(folder);
        }
    }

    private static List<String> command(ServeProcess exomem, String... words) {
        List<String> command = ServeProcess.launcher();
        command.addAll(List.of(words));
        command.addAll(List.of("--control", exomem.socket("control").toString()));
        return command;
    }

    /**
     * The words with which the launcher starts a command's JVM, up to its class path. They are read from a command that
     * keeps running.
     */
    private static List<String> javaOf(List<String> command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            Path words = Path.of("/proc", Long.toString(process.pid()), "cmdline");
            List<String> java = new ArrayList<>();
            await().atMost(LIMIT).until(() -> {
                java.clear();
                java.addAll(Arrays.asList(Files.readString(words).split("\0", -1)));
                return java.getFirst().endsWith("java");
            });
            int classPath = Math.max(java.indexOf("-jar"), java.indexOf("-cp"));
            return java.subList(0, classPath).stream()
                    .filter(word -> CACHES.stream().noneMatch(word::startsWith))
                    .toList();
        } finally {
            process.destroyForcibly();
        }
    }

    /** A JVM that prints a line, with the options of another, and a cache from its own training. */
    private static List<String> bareJvm(Path folder, List<String> java) throws IOException {
        Path jar = folder.resolve("hello.jar");
        Path cache = folder.resolve("hello.aot");
        writeJar(jar);
        millis(withCache(java, CACHES.getLast() + cache, jar));
        return withCache(java, CACHES.getFirst() + cache, jar);
    }

    private static List<String> withCache(List<String> java, String cache, Path jar) {
        List<String> words = new ArrayList<>(java);
        words.addAll(List.of(cache, "-jar", jar.toString()));
        return words;
    }

    private static void writeJar(Path jar) throws IOException {
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().put(Attributes.Name.MAIN_CLASS, HelloWorld.class.getName());
        String entry = HelloWorld.class.getName().replace('.', '/') + ".class";
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar), manifest);
                InputStream in = CommandStart.class.getClassLoader().getResourceAsStream(entry)) {
            if (in == null) {
                throw new IOException("missing: " + entry);
            }
            out.putNextEntry(new JarEntry(entry));
            in.transferTo(out);
            out.closeEntry();
        }
    }

    private static double millis(List<String> words) throws IOException {
        long start = System.nanoTime();
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        try (InputStream output = process.getInputStream()) {
            String text = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(String.join(" ", words) + " failed: " + text);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        return (System.nanoTime() - start) / 1e6;
    }
}
