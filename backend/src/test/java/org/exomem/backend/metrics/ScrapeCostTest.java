package org.exomem.backend.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The processor time of a scrape of 200 VMs, and its effect on each event loop. Prints its measurements; the limits are
 * for slow machines.
 */
@Timeout(value = 300, unit = TimeUnit.SECONDS)
class ScrapeCostTest {
    private static final int VMS = 200;
    private static final int WARM_UP = 60;
    private static final int SCRAPES = 30;
    private static final double MILLIS = 1e6;
    /** Five times the target: the machine has other work, and the JIT compiler has compiled little yet. */
    private static final double MOST_MILLIS = 100;

    @TempDir
    Path folder;

    @Test
    void twoHundredVmsAreScrapedInSomeMilliseconds() throws Exception {
        List<String> devices = new ArrayList<>();
        for (int i = 0; i < VMS; i++) {
            devices.add("vm=vm" + i);
            devices.add("mem:vm=vm" + i + ",id=m0,addr=4G,size=1G,block=4M");
        }
        try (MeasuredVms vms = new MeasuredVms(folder, devices.toArray(String[]::new))) {
            String scrape = "";
            for (int i = 0; i < WARM_UP; i++) {
                scrape = vms.get("/metrics").body();
            }
            // The client of the JDK also runs in this JVM: only exomem's own threads count.
            Map<String, Long> before = processorTime();
            double[] wall = new double[SCRAPES];
            for (int i = 0; i < SCRAPES; i++) {
                long start = System.nanoTime();
                vms.get("/metrics");
                wall[i] = (System.nanoTime() - start) / MILLIS;
            }
            Map<String, Long> after = processorTime();
            double total = 0;
            double worstLoop = 0;
            Map<String, Double> of = new HashMap<>();
            for (Map.Entry<String, Long> thread : after.entrySet()) {
                double each = (thread.getValue() - before.getOrDefault(thread.getKey(), 0L)) / MILLIS / SCRAPES;
                total += each;
                of.merge(thread.getKey().startsWith("vm-") ? "VMs' loops" : thread.getKey(), each, Double::sum);
                if (thread.getKey().startsWith("vm-") || thread.getKey().startsWith("control")) {
                    worstLoop = Math.max(worstLoop, each);
                }
            }
            Arrays.sort(wall);
            System.out.printf(
                    "scrape of %d VMs: %d bytes, %d lines; processor %.2f ms (%s); the busiest loop %.3f ms; answer after"
                            + " %.1f ms (median)%n",
                    VMS, scrape.length(), scrape.lines().count(), total, of, worstLoop, wall[SCRAPES / 2]);
            assertThat(MeasuredVms.value(scrape, "exomem_vms")).isEqualTo(VMS);
            assertThat(total).isLessThan(MOST_MILLIS);
            assertThat(worstLoop).isLessThan(1);
            // Each is asked once a second, one after the other.
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(() -> assertThat(vms.value("exomem_event_loop_delay_seconds_count{loop=\"vm\"}"))
                            .isGreaterThan(VMS));
        }
    }

    /** The processor time of exomem's threads, by name, in nanoseconds. */
    private static Map<String, Long> processorTime() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        Map<String, Long> times = new HashMap<>();
        for (ThreadInfo thread : threads.getThreadInfo(threads.getAllThreadIds())) {
            if (thread != null
                    && thread.getThreadName().matches("vm-.*|control.*|http.*|metrics.*|loop-delays.*|ForkJoin.*")
                    && !thread.getThreadName().startsWith("HttpClient")) {
                times.merge(thread.getThreadName(), threads.getThreadCpuTime(thread.getThreadId()), Long::sum);
            }
        }
        return times;
    }
}
