package org.exomem.backend.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.HeldUpVm;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.health.Health;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.vm.VmTable;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The result of a scrape of a back-end with guests of the test. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class MetricsServerTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final long MEMORY = 64 << 20;
    private static final long PAGE = 4096;

    @TempDir
    Path folder;

    private BalloonDriver attach(GuestRam ram) throws Exception {
        return BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(folder.resolve("device0")),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG));
    }

    @Test
    void tellsOfAGuestThatInflates() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=web,size=32M");
                GuestRam ram = GuestRam.ofSize(MEMORY);
                BalloonDriver driver = attach(ram)) {
            ram.fill(16 << 20, 32 << 20, (byte) 7);
            double before = vms.value("exomem_vm_host_resident_bytes{vm=\"web\"}");
            driver.inflate(16 << 20, 256 * PAGE);
            driver.writeActual(256);
            driver.report(24 << 20, 512 * PAGE, 512 * PAGE);
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(vms.value("exomem_balloon_reported_bytes_total{vm=\"web\"}"))
                            .isEqualTo(512 * PAGE));

            String scrape = vms.get("/metrics").body();
            assertThat(MeasuredVms.value(scrape, "exomem_balloon_memory_bytes{vm=\"web\"}"))
                    .isEqualTo(MEMORY);
            assertThat(MeasuredVms.value(scrape, "exomem_balloon_target_bytes{vm=\"web\"}"))
                    .isEqualTo(32 << 20);
            assertThat(MeasuredVms.value(scrape, "exomem_balloon_inflated_bytes{vm=\"web\"}"))
                    .isEqualTo(256 * PAGE);
            assertThat(MeasuredVms.value(scrape, "exomem_balloon_actual_bytes{vm=\"web\"}"))
                    .isEqualTo(MEMORY - 256 * PAGE);
            assertThat(MeasuredVms.value(scrape, "exomem_balloon_discarded_bytes_total{vm=\"web\"}"))
                    .isEqualTo(768 * PAGE);
            assertThat(MeasuredVms.value(scrape, "exomem_vm_host_resident_bytes{vm=\"web\"}"))
                    .isEqualTo(before - 768 * PAGE);
            assertThat(MeasuredVms.value(scrape, "exomem_vm_connected{vm=\"web\"}"))
                    .isOne();
            assertThat(MeasuredVms.value(scrape, "exomem_device_connections_total{device=\"balloon\",vm=\"web\"}"))
                    .isOne();
        }
    }

    @Test
    void guestsStatisticsComeWithTheTimeAtWhichTheyCame() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=web,stats-interval=1");
                GuestRam ram = GuestRam.ofSize(MEMORY);
                BalloonDriver driver = attach(ram)) {
            assertThat(vms.value("exomem_guest_statistics_timestamp_seconds{vm=\"web\"}"))
                    .isNaN();
            driver.offerStatistics(Map.of(5, 1L));
            driver.awaitStatisticsRequest();
            // Tag 4 is free memory; an unsigned number of 64 bits.
            driver.offerStatistics(Map.of(4, 12345L, 2, -1L));
            driver.awaitStatisticsRequest();
            String scrape = vms.get("/metrics").body();
            assertThat(MeasuredVms.value(scrape, "exomem_guest_free_memory_bytes{vm=\"web\"}"))
                    .isEqualTo(12345);
            assertThat(MeasuredVms.value(scrape, "exomem_guest_major_faults_total{vm=\"web\"}"))
                    .isEqualTo(0x1p64);
            assertThat(MeasuredVms.value(scrape, "exomem_guest_statistics_interval_seconds{vm=\"web\"}"))
                    .isOne();
            assertThat(MeasuredVms.value(scrape, "exomem_guest_statistics_timestamp_seconds{vm=\"web\"}"))
                    .isBetween(System.currentTimeMillis() / 1e3 - 60, System.currentTimeMillis() / 1e3 + 1);
        }
    }

    @Test
    void queueThatItsDriverBrokeIsCountedAndUnhealthy() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=web");
                GuestRam ram = GuestRam.ofSize(MEMORY);
                BalloonDriver driver = attach(ram)) {
            assertThat(vms.get("/healthz").body()).isEqualTo("ok\n");
            driver.device().rings().getFirst().add(List.of(Buffer.readable(1L << 50, 16)));
            driver.device().rings().getFirst().kick();
            String broken = "exomem_device_broken_queues{device=\"balloon\",vm=\"web\"}";
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(vms.value(broken)).isOne());
            assertThat(vms.value("exomem_device_faults_total{device=\"balloon\",kind=\"driver\",vm=\"web\"}"))
                    .isOne();
            assertThat(vms.value("exomem_health_problems{severity=\"critical\"}"))
                    .isOne();
            HttpResponse<String> health = vms.get("/healthz");
            assertThat(health.statusCode()).isEqualTo(503);
            assertThat(health.body()).startsWith("critical: web balloon: one of its queues is stopped");
            assertThat(Json.parse(vms.get("/healthz", "Accept", "application/json")
                                    .body())
                            .path("status")
                            .asText())
                    .isEqualTo("critical");
        }
    }

    @Test
    void memoryDeviceTellsItsSizes() throws Exception {
        try (MeasuredVms vms =
                new MeasuredVms(folder, "mem:vm=web,id=m0,addr=4G,size=1G,block=4M,requested=64M,violation=report")) {
            String scrape = vms.get("/metrics").body();
            assertThat(MeasuredVms.value(scrape, "exomem_memory_device_region_bytes{device=\"m0\",vm=\"web\"}"))
                    .isEqualTo(1L << 30);
            assertThat(MeasuredVms.value(scrape, "exomem_memory_device_requested_bytes{device=\"m0\",vm=\"web\"}"))
                    .isEqualTo(64 << 20);
            assertThat(MeasuredVms.value(scrape, "exomem_memory_device_plugged_bytes{device=\"m0\",vm=\"web\"}"))
                    .isZero();
            assertThat(scrape).doesNotContain("exomem_balloon_memory_bytes{");
            assertThat(vms.get("/healthz").body()).isEqualTo("ok\n");
        }
    }

    @Test
    void processTellsOfItselfAndOfTheDelayOfItsLoops() throws Exception {
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=a", "vm=b")) {
            for (String loop : List.of("vm", "control", "http")) {
                await().atMost(LIMIT)
                        .untilAsserted(() -> assertThat(
                                        vms.value("exomem_event_loop_delay_seconds_count{loop=\"" + loop + "\"}"))
                                .isGreaterThanOrEqualTo(2));
            }
            String scrape = vms.get("/metrics").body();
            assertThat(MeasuredVms.value(scrape, "exomem_vms")).isEqualTo(2);
            for (String name : List.of(
                    "process_cpu_seconds_total",
                    "process_start_time_seconds",
                    "process_resident_memory_bytes",
                    "process_open_fds",
                    "process_max_fds",
                    "jvm_threads_current",
                    "jvm_memory_used_bytes{area=\"heap\"}")) {
                assertThat(MeasuredVms.value(scrape, name)).as(name).isPositive();
            }
        }
    }

    @Test
    void vmThatHangsHoldsUpNoScrapeForLong() throws Exception {
        try (HeldUpVm held = HeldUpVm.start("held", folder)) {
            VmTable table = VmTable.of(held.vm());
            try (Migrations migrations = new Migrations(table, state -> {});
                    MetricsServer server = new MetricsServer(
                            new HttpConfig(HttpConfig.addresses("", "0"), Optional.empty()),
                            new MetricsServer.Process(
                                    "1",
                                    table,
                                    migrations::states,
                                    List::of,
                                    new Health(table, migrations, List::of, Optional.empty()),
                                    new EventCounts(),
                                    Map.of()))) {
                int port = ((HttpAddress.Tcp) server.addresses().getFirst()).port();
                String scrape = Plain.get(port, "/metrics");
                assertThat(MeasuredVms.value(scrape, "exomem_vm_responding{vm=\"held\"}"))
                        .isZero();
                assertThat(scrape).doesNotContain("exomem_balloon_memory_bytes{");
                assertThat(Plain.get(port, "/healthz")).contains("503").contains("its event loop does not respond");
                // The delay is the present value.
                await().atMost(LIMIT)
                        .untilAsserted(() -> assertThat(MeasuredVms.value(
                                        Plain.get(port, "/metrics"), "exomem_vm_event_loop_delay_seconds{vm=\"held\"}"))
                                .isGreaterThan(1));
            }
        }
    }

    @Test
    void socketIsItsOwnersAloneAndGoesWithTheProcess() throws Exception {
        Path socket = folder.resolve("metrics");
        try (MeasuredVms vms = new MeasuredVms(folder, "vm=web")) {
            assertThat(vms.port()).isPositive();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");
            try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                channel.connect(UnixDomainSocketAddress.of(socket));
                channel.write(ByteBuffer.wrap("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                        .getBytes(StandardCharsets.US_ASCII)));
                assertThat(Plain.all(channel)).startsWith("HTTP/1.1 200 OK").contains("\nexomem_vms 1.0\n");
            }
        }
        assertThat(socket).doesNotExist();
    }

    @Test
    void otherHostsNeedCertificates() throws Exception {
        ServeConfig config =
                new ServeConfig(Optional.empty(), List.of(ServeConfig.balloon("vm=a,socket=" + folder.resolve("a"))));
        for (String address : List.of("0.0.0.0:9469", "192.0.2.7:1", "[::]:9469")) {
            HttpConfig metrics = new HttpConfig(HttpConfig.addresses("", address), Optional.empty());
            assertThatThrownBy(() -> config.withMetrics(metrics).checked())
                    .isInstanceOf(ConfigException.class)
                    .hasMessageContaining("metrics on " + address.replace("[::]", "[0:0:0:0:0:0:0:0]"))
                    .hasMessageContaining("--metrics-tls");
        }
        for (String address : List.of("9469", "127.0.0.1:9469", "[::1]:9469", "localhost:1", "unix:/run/x")) {
            assertThat(config.withMetrics(new HttpConfig(HttpConfig.addresses("", address), Optional.empty()))
                            .checked()
                            .metrics()
                            .addresses())
                    .hasSize(1);
        }
    }

    @Test
    void addressThatIsNoneIsRefusedWithWhatOneLooksLike() {
        for (String address : List.of(
                "", ":", ":9469", "a.example:9469", "65536", "-1", "1:2:3", "[::1", "::1:9469", "unix:", "1.2.3:x")) {
            assertThatThrownBy(() -> HttpConfig.addresses("--metrics", address))
                    .as(address)
                    .isInstanceOf(ConfigException.class)
                    .hasMessageStartingWith("--metrics");
        }
    }
}
