package org.exomem.backend.metrics;

import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The resources of the process itself: processor, memory, descriptors. Values that can't be read are left out. */
final class ProcessFigures {
    private static final Logger LOG = LoggerFactory.getLogger(ProcessFigures.class);
    private static final Path SELF = Path.of("/proc/self");
    private static final double MILLIS = 1e3;
    private static final double NANOS = 1e9;
    private static final int KIB = 1024;

    private final double started = ManagementFactory.getRuntimeMXBean().getStartTime() / MILLIS;
    private final MemoryMXBean memory = ManagementFactory.getMemoryMXBean();

    void addTo(Samples samples) {
        samples.add(Metric.PROCESS_START, started);
        ProcessHandle.current()
                .info()
                .totalCpuDuration()
                .ifPresent(cpu -> samples.add(Metric.PROCESS_CPU, cpu.toNanos() / NANOS));
        try {
            status(samples);
            limits(samples);
            try (Stream<Path> open = Files.list(SELF.resolve("fd"))) {
                samples.add(Metric.PROCESS_OPEN_FDS, open.count());
            }
        } catch (IOException | NumberFormatException e) {
            LOG.debug("the resource usage of the process is unknown: {}", e.getMessage());
        }
        area(samples, "heap", memory.getHeapMemoryUsage());
        area(samples, "nonheap", memory.getNonHeapMemoryUsage());
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            samples.addSummary(
                    Metric.JVM_GC,
                    Math.max(0, collector.getCollectionCount()),
                    Math.max(0, collector.getCollectionTime()) / MILLIS,
                    collector.getName());
        }
        samples.add(Metric.JVM_THREADS, ManagementFactory.getThreadMXBean().getThreadCount());
    }

    private static void area(Samples samples, String area, MemoryUsage usage) {
        samples.add(Metric.JVM_MEMORY_USED, usage.getUsed(), area);
        samples.add(Metric.JVM_MEMORY_COMMITTED, usage.getCommitted(), area);
        if (usage.getMax() >= 0) {
            samples.add(Metric.JVM_MEMORY_MAX, usage.getMax(), area);
        }
    }

    private static void status(Samples samples) throws IOException {
        for (String line : Files.readAllLines(SELF.resolve("status"))) {
            if (line.startsWith("VmRSS:")) {
                samples.add(Metric.PROCESS_RESIDENT, kilobytes(line));
            } else if (line.startsWith("VmSize:")) {
                samples.add(Metric.PROCESS_VIRTUAL, kilobytes(line));
            }
        }
    }

    /** {@code VmRSS:      1234 kB}. */
    private static double kilobytes(String line) {
        return (double) Long.parseLong(line.replaceAll("[^0-9]", "")) * KIB;
    }

    /** {@code Max open files  <soft>  <hard>  files}. */
    private static void limits(Samples samples) throws IOException {
        for (String line : Files.readAllLines(SELF.resolve("limits"))) {
            if (line.startsWith("Max open files")) {
                String soft = line.split(" {2,}", -1)[1].strip();
                samples.add(
                        Metric.PROCESS_MAX_FDS,
                        soft.equals("unlimited") ? Double.POSITIVE_INFINITY : Double.parseDouble(soft));
            }
        }
    }
}
