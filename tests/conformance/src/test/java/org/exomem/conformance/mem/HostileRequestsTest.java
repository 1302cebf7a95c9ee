package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.Response;
import org.exomem.conformance.guest.MemDriver.State;
import org.exomem.conformance.guest.Used;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A hostile driver: in its buffers, in its numbers, and in how many requests it sends at once. */
class HostileRequestsTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final long NOWHERE = 0x5000_0000_0000L;

    @TempDir
    Path folder;

    /** Makes a chain from a valid request (24 bytes) and its response (10 bytes). */
    private record Chain(String name, BiFunction<Long, Long, List<Buffer>> buffers) {
        @Override
        public String toString() {
            return name;
        }
    }

    static Stream<Chain> chainsThatAreFaults() {
        return Stream.of(
                new Chain("no response", (request, response) -> List.of(Buffer.readable(request, 24))),
                new Chain("no request", (request, response) -> List.of(Buffer.writable(response, 10))),
                new Chain(
                        "a request of 23 bytes",
                        (request, response) -> List.of(Buffer.readable(request, 23), Buffer.writable(response, 10))),
                new Chain(
                        "room for 9 bytes",
                        (request, response) -> List.of(Buffer.readable(request, 24), Buffer.writable(response, 9))),
                new Chain(
                        "a response that may only be read",
                        (request, response) -> List.of(Buffer.readable(request, 24), Buffer.readable(response, 10))),
                new Chain(
                        "a request that may only be written",
                        (request, response) -> List.of(Buffer.writable(request, 24), Buffer.writable(response, 10))),
                new Chain(
                        "the response first",
                        (request, response) -> List.of(Buffer.writable(response, 10), Buffer.readable(request, 24))),
                new Chain(
                        "a response outside of memory",
                        (request, response) -> List.of(Buffer.readable(request, 24), Buffer.writable(NOWHERE, 10))),
                new Chain(
                        "a response half outside of memory",
                        (request, response) ->
                                List.of(Buffer.readable(request, 24), Buffer.writable(ADDRESS + SIZE - 5, 10))),
                new Chain(
                        "a response at the end of all addresses",
                        (request, response) -> List.of(Buffer.readable(request, 24), Buffer.writable(-5, 10))),
                new Chain(
                        "a request outside of memory",
                        (request, response) -> List.of(Buffer.readable(NOWHERE, 24), Buffer.writable(response, 10))),
                new Chain(
                        "a request half outside of memory",
                        (request, response) ->
                                List.of(Buffer.readable(ADDRESS + SIZE - 12, 24), Buffer.writable(response, 10))),
                new Chain(
                        "a length at its limit",
                        (request, response) ->
                                List.of(Buffer.readable(request, 0xffff_ffffL), Buffer.writable(response, 10))));
    }

    @ParameterizedTest
    @MethodSource("chainsThatAreFaults")
    @Tag("MEM-REQ-1")
    void badChainStopsTheQueueAndChangesNothing(Chain chain) throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false)) {
            try (MemDriver driver = backEnd.connect()) {
                assertThat(driver.plug(block(3), 2)).isEqualTo(Answer.ACK);
                long request = backEnd.ram.allocate(24, 8);
                long response = backEnd.ram.allocate(10, 8);
                driver.write(request, MemDriver.PLUG, block(0), 1);
                driver.ring().add(chain.buffers.apply(request, response));
                driver.ring().kick();
                await().atMost(LIMIT).until(() -> !backEnd.faults.isEmpty());
                assertThat(backEnd.faults).singleElement().asString().startsWith("DRIVER queue 0 is stopped");
                assertThat(driver.device().frontEnd().getConfig(0, 56))
                        .as("the connection lives")
                        .hasSize(56);
            }
            try (MemDriver anew = backEnd.connect()) {
                assertThat(anew.config().pluggedSize()).isEqualTo(2 * BLOCK);
                assertThat(anew.plug(block(0), 1)).isEqualTo(Answer.ACK);
            }
        }
    }

    @Test
    void requestsAheadOfABadChainAreAnswered() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            long request = backEnd.ram.allocate(24, 8);
            long response = backEnd.ram.allocate(10, 8);
            driver.write(request, MemDriver.PLUG, block(0), 3);
            driver.ring().add(List.of(Buffer.readable(request, 24), Buffer.writable(response, 10)));
            driver.ring().add(List.of(Buffer.readable(request, 5), Buffer.writable(response, 10)));
            driver.ring().kick();
            await().atMost(LIMIT).until(() -> !backEnd.faults.isEmpty());
            assertThat(driver.config().pluggedSize()).isEqualTo(3 * BLOCK);
            assertThat(backEnd.pluggedSizes).containsExactly(3 * BLOCK);
        }
    }

    static Stream<Chain> chainsThatAreRight() {
        return Stream.of(
                new Chain("a byte in each buffer", (request, response) -> {
                    List<Buffer> buffers = new ArrayList<>();
                    for (int i = 0; i < 24; i++) {
                        buffers.add(Buffer.readable(request + i, 1));
                    }
                    for (int i = 0; i < 10; i++) {
                        buffers.add(Buffer.writable(response + i, 1));
                    }
                    return buffers;
                }),
                new Chain(
                        "more than is needed",
                        (request, response) -> List.of(Buffer.readable(request, 40), Buffer.writable(response, 64))));
    }

    @ParameterizedTest
    @MethodSource("chainsThatAreRight")
    void requestMaySpanSeveralDescriptors(Chain chain) throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            long request = backEnd.ram.allocate(40, 8);
            long response = backEnd.ram.allocate(64, 8);
            backEnd.ram.fill(response, 64, (byte) 0x5a);
            driver.write(request, MemDriver.PLUG, block(0), 1);
            Used used = driver.ring().transfer(chain.buffers.apply(request, response), FrontEnd.LIMIT);
            assertThat(driver.read(response, used)).isEqualTo(new Response(Answer.ACK, 0, 10));
            assertThat(backEnd.ram.getByte(response + 10))
                    .as("what lies behind it")
                    .isEqualTo((byte) 0x5a);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Features.RING_PACKED})
    @Tag("MEM-REQ-3")
    @Tag("MEM-REQ-7")
    void fieldsBeyondTheirLimitsAreErrors(long ring) throws Exception {
        long[] addresses = {
            0,
            1,
            BLOCK,
            ADDRESS - BLOCK,
            ADDRESS - 1,
            ADDRESS + 1,
            ADDRESS + BLOCK - 1,
            ADDRESS + SIZE - BLOCK,
            ADDRESS + SIZE,
            ADDRESS + SIZE + BLOCK,
            Long.MAX_VALUE,
            Long.MIN_VALUE,
            -BLOCK,
            -1,
            1L << 48,
            ~0L << 48
        };
        int[] counts = {0, 1, 2, 0x7fff, 0x8000, 0xffff};
        int[] types = {MemDriver.PLUG, MemDriver.UNPLUG, MemDriver.STATE, 4, 0x7fff, 0x8000, 0xffff};
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect(ring)) {
            assertThat(driver.plug(block(3), 2)).isEqualTo(Answer.ACK);
            for (long address : addresses) {
                for (int count : counts) {
                    for (int type : types) {
                        assertThat(driver.send(type, address, count).answer())
                                .as("type %d of %d blocks at %#x", type, count, address)
                                .isEqualTo(Answer.ERROR);
                    }
                }
            }
            assertThat(driver.config().pluggedSize()).isEqualTo(2 * BLOCK);
            assertThat(driver.state(block(3), 2)).isEqualTo(State.PLUGGED);
            assertThat(backEnd.faults).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Features.RING_PACKED})
    void overlappingRequestsAreCarriedOutInOrder(long ring) throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 16 * BLOCK, false);
                MemDriver driver = backEnd.connect(ring)) {
            List<Answer> answers = together(driver, new long[][] {
                {MemDriver.PLUG, block(0), 8},
                {MemDriver.PLUG, block(4), 8},
                {MemDriver.PLUG, block(8), 8},
                {MemDriver.PLUG, block(16), 1},
                {MemDriver.UNPLUG, block(4), 8},
                {MemDriver.UNPLUG, block(11), 2},
                {MemDriver.PLUG, block(6), 4},
                {MemDriver.PLUG, block(6), 4},
                {MemDriver.UNPLUG_ALL, -1, 0xffff},
                {MemDriver.UNPLUG, block(0), 1},
                {MemDriver.PLUG, block(0), 16}
            });
            assertThat(answers)
                    .containsExactly(
                            Answer.ACK,
                            Answer.ERROR,
                            Answer.ACK,
                            Answer.NACK,
                            Answer.ACK,
                            Answer.ERROR,
                            Answer.ACK,
                            Answer.ERROR,
                            Answer.ACK,
                            Answer.ERROR,
                            Answer.ACK);
            assertThat(driver.config().pluggedSize()).isEqualTo(16 * BLOCK);
        }
    }

    private static List<Answer> together(MemDriver driver, long[][] requests) throws Exception {
        GuestRam ram = driver.device().ram();
        long[] responses = new long[requests.length];
        for (int i = 0; i < requests.length; i++) {
            long request = ram.allocate(24, 8);
            responses[i] = ram.allocate(10, 8);
            driver.write(request, (int) requests[i][0], requests[i][1], (int) requests[i][2]);
            driver.ring().add(List.of(Buffer.readable(request, 24), Buffer.writable(responses[i], 10)));
        }
        driver.ring().kick();
        List<Answer> answers = new ArrayList<>();
        for (long response : responses) {
            answers.add(
                    driver.read(response, driver.ring().await(FrontEnd.LIMIT)).answer());
        }
        return answers;
    }

    @Test
    void responseInTheUnpluggedBlocksHarmsNobody() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.plug(block(0), 2)).isEqualTo(Answer.ACK);
            long request = block(0) + 64;
            long response = block(1);
            driver.write(request, MemDriver.UNPLUG, block(0), 2);
            Used used = driver.ring()
                    .transfer(List.of(Buffer.readable(request, 24), Buffer.writable(response, 10)), FrontEnd.LIMIT);
            assertThat(driver.read(response, used).answer()).isEqualTo(Answer.ACK);
            assertThat(driver.state(block(0), 2)).isEqualTo(State.UNPLUGGED);
            assertThat(backEnd.faults).isEmpty();
        }
    }
}
