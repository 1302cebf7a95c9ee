package org.exomem.demo;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Another JVM like this one: same Java, same options, same class path. */
final class ChildJvm {
    /** Options that are for this JVM only: agents and a training run. */
    private static final List<String> OWN = List.of("-javaagent", "-XX:AOT", "-XX:DumpLoadedClassList");

    private ChildJvm() {}

    static ProcessBuilder of(Class<?> main, String... arguments) {
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (OWN.stream().noneMatch(option::startsWith)) {
                words.add(option);
            }
        }
        // If it is given twice, or not at all in the training run, the AOT cache is useless.
        if (words.stream().noneMatch(word -> word.startsWith("--enable-native-access"))) {
            words.add("--enable-native-access=ALL-UNNAMED");
        }
        words.add("-cp");
        words.add(System.getProperty("java.class.path", "." + File.separator));
        words.add(main.getName());
        words.addAll(List.of(arguments));
        return new ProcessBuilder(words);
    }

    /** Waits two seconds for the end of a process that was asked to end; then kills it. */
    static void awaitEnd(Process process) {
        try {
            if (!process.waitFor(2, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
