package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The machine of a measurement.
 *
 * @param cpu the processor's name
 * @param cpus the number of processors
 * @param memoryMib the host's memory in MiB
 * @param kernel the kernel's release
 * @param java the JVM's version
 * @param load the load average of the minute before, which shows other work on the machine
 */
public record Machine(String cpu, int cpus, long memoryMib, String kernel, String java, double load) {
    /** Describes this machine now. */
    static Machine now() throws IOException {
        return new Machine(
                line(Path.of("/proc/cpuinfo"), "model name"),
                Runtime.getRuntime().availableProcessors(),
                Long.parseLong(line(Path.of("/proc/meminfo"), "MemTotal").replaceAll("\\D", "")) >> 10,
                System.getProperty("os.version"),
                System.getProperty("java.vm.version"),
                ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage());
    }

    private static String line(Path file, String key) throws IOException {
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith(key)) {
                return line.substring(line.indexOf(':') + 1).strip();
            }
        }
        return "0";
    }

    @Override
    public String toString() {
        return cpus + " x " + cpu + ", " + memoryMib + " MiB, Linux " + kernel + ", Java " + java + ", load " + load;
    }
}
