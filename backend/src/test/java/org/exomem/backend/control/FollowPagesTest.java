package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.exomem.backend.TestVms;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a client of the control socket receives about a VM's pages. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class FollowPagesTest {
    private static final int MIB = 1 << 20;
    private static final String FOLLOW = "{'execute': 'follow-pages', 'arguments': {'vm': 'a'}}";

    private TestVms vms;
    private BalloonDriver driver;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.named("a", "b");
        driver = vms.attach("a");
    }

    @AfterEach
    void stop() throws Exception {
        vms.close();
    }

    @Tag("CTL-17")
    @Test
    void balloonIsToldFirstAndThenWhatHappensInOrder() throws Exception {
        driver.inflate(16 * MIB, 2 * MIB);
        // Commands use a connection of their own, so that an answer is the next line.
        try (RawClient client = RawClient.negotiated(vms.control());
                RawClient other = RawClient.negotiated(vms.control())) {
            assertThat(client.ask(FOLLOW)).isEqualTo("{'return':{}}");
            driver.deflate(17 * MIB, MIB);
            other.ask("{'execute': 'free-page-hint', 'arguments': {'vm': 'a', 'action': 'start'}}");
            String session = Integer.toUnsignedString(driver.beginHinting());
            driver.hint(32 * MIB, 8 * MIB, 8 * MIB);
            driver.endHinting();
            driver.report(48 * MIB, 2 * MIB, 2 * MIB);

            assertThat(runs(client, 6))
                    .containsExactly(
                            "{'kind':'inflated','address':16777216,'length':2097152}",
                            "{'kind':'deflated','address':17825792,'length':1048576}",
                            "{'kind':'hinting-started','session':" + session + "}",
                            "{'kind':'hinted','session':" + session + ",'address':33554432,'length':8388608}",
                            "{'kind':'hinting-ended','session':" + session + "}",
                            "{'kind':'reported','address':50331648,'length':2097152}");
        }
    }

    /** The runs of the events as soon as there are {@code count} of them, with ' for ". */
    private static List<String> runs(RawClient client, int count) throws Exception {
        List<String> runs = new ArrayList<>();
        while (runs.size() < count) {
            JsonNode data = client.event("PAGES").path("data");
            assertThat(data.path("vm").asText()).isEqualTo("a");
            assertThat(data.has("lost")).isFalse();
            data.path("pages").forEach(run -> runs.add(run.toString().replace('"', '\'')));
        }
        return runs;
    }

    @Test
    void clientThatDoesNotReadIsToldHowMuchItMissed() throws Exception {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            client.ask(FOLLOW);
            // No two pages are neighbours, so that no two messages are merged.
            int[] pages = IntStream.range(0, 256).map(i -> 8192 + 2 * i).toArray();
            long offered = 0;
            for (int i = 0; i < 200; i++) {
                driver.inflatePages(pages);
                driver.deflatePages(pages);
                offered += 2 * pages.length;
            }
            long told = 0;
            long lost = 0;
            while (told + lost < offered) {
                JsonNode data = client.event("PAGES").path("data");
                told += data.path("pages").size();
                lost += data.path("lost").asLong();
            }
            assertThat(lost).isPositive();
            assertThat(told + lost).isEqualTo(offered);
        }
    }

    @Tag("CTL-17")
    @Test
    void vmIsFollowedOncePerConnection() throws Exception {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            assertThat(client.ask(FOLLOW)).isEqualTo("{'return':{}}");
            assertThat(client.ask(FOLLOW)).contains("already follows VM \\'a\\'");
            assertThat(client.ask(FOLLOW.replace("'a'", "'b'"))).isEqualTo("{'return':{}}");
        }
    }

    @Tag("CTL-17")
    @Test
    void clientThatDidNotAskIsToldNothing() throws Exception {
        try (RawClient client = RawClient.negotiated(vms.control());
                RawClient other = RawClient.negotiated(vms.control())) {
            client.ask(FOLLOW);
            driver.inflate(16 * MIB, MIB);
            runs(client, 1);
            assertThat(other.ask("{'execute': 'query-status'}")).startsWith("{'return'");
        }
    }

    @Test
    void blocksAreToldFirstToo() throws Exception {
        try (TestVms other = TestVms.with(List.of(), List.of("vm=a,id=m0,addr=4G,size=8M,block=4M,requested=4M"));
                GuestRam ram = GuestRam.withPciHole(TestVms.MEMORY, 8 * MIB);
                MemDriver memory = other.attachMemory(0, ram);
                RawClient client = RawClient.negotiated(other.control())) {
            assertThat(client.ask(FOLLOW)).isEqualTo("{'return':{}}");
            assertThat(memory.plug(4L << 30, 1)).isEqualTo(MemDriver.Answer.ACK);
            assertThat(runs(client, 2))
                    .containsExactly(
                            "{'kind':'unplugged','address':4294967296,'length':8388608}",
                            "{'kind':'plugged','address':4294967296,'length':4194304}");
        }
    }

    @Test
    void whatCanNotBeFollowedIsRefusedAndTheConnectionIsUsable() throws Exception {
        try (RawClient client = RawClient.negotiated(vms.control())) {
            assertThat(client.ask(FOLLOW.replace("'a'", "'c'"))).contains("DeviceNotFound");
            assertThat(client.ask("{'execute': 'follow-pages'}")).contains("argument \\'vm\\' is missing");
            assertThat(client.ask("{'execute': 'follow-pages', 'arguments': {'vm': 'a', 'kinds': []}}"))
                    .contains("this command has no argument \\'kinds\\'");
            assertThat(client.ask(FOLLOW)).isEqualTo("{'return':{}}");
        }
    }
}
