package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;

import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.Response;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Random valid and invalid requests, many at once, compared with a very simple model of the rules. */
class RandomRequestsTest {
    private static final int BLOCKS = (int) (SIZE / BLOCK);
    private static final int AT_ONCE = 32;
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    /** The right answers of a device, by spec/mem.md. */
    private static final class Model {
        final BitSet plugged = new BitSet(BLOCKS);
        final long requested;
        long usable;

        Model(long requested) {
            this.requested = requested;
            usable = usable(requested);
        }

        static long usable(long requested) {
            return requested == 0 ? 0 : Math.min(SIZE, requested + (256L << 20));
        }

        Response answer(int type, long address, int blocks) {
            if (type == MemDriver.UNPLUG_ALL) {
                plugged.clear();
                usable = usable(requested);
                return response(Answer.ACK, 0);
            }
            boolean inside = blocks > 0
                    && address % BLOCK == 0
                    && address >= ADDRESS
                    && address < ADDRESS + usable
                    && address + blocks * BLOCK <= ADDRESS + usable;
            if (type > MemDriver.STATE || !inside) {
                return response(Answer.ERROR, 0);
            }
            int first = (int) ((address - ADDRESS) / BLOCK);
            int set = plugged.get(first, first + blocks).cardinality();
            int state = set == blocks ? 0 : set == 0 ? 1 : 2;
            if (type == MemDriver.STATE) {
                return response(Answer.ACK, state);
            }
            boolean plug = type == MemDriver.PLUG;
            if (state != (plug ? 1 : 0)) {
                return response(Answer.ERROR, 0);
            }
            if (plug && (plugged.cardinality() + blocks) * BLOCK > requested) {
                return response(Answer.NACK, 0);
            }
            plugged.set(first, first + blocks, plug);
            return response(Answer.ACK, 0);
        }

        private static Response response(Answer answer, int state) {
            return new Response(answer, state, 10);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 0", "2, 0x400000000"})
    @Tag("MEM-CFG-3")
    @Tag("MEM-RESP-1")
    void everyAnswerMatchesTheModel(long seed, String ring) throws Exception {
        Random random = new Random(seed);
        long requested = SIZE / 2;
        Model model = new Model(requested);
        try (MemBackEnd backEnd = new MemBackEnd(folder, requested, false);
                MemDriver driver = backEnd.connect(Long.decode(ring) | Features.EVENT_IDX)) {
            long[] requests = new long[AT_ONCE];
            long[] responses = new long[AT_ONCE];
            for (int i = 0; i < AT_ONCE; i++) {
                requests[i] = backEnd.ram.allocate(24, 8);
                responses[i] = backEnd.ram.allocate(10, 8);
            }
            Response[] expected = new Response[AT_ONCE];
            for (int round = 0; round < 500_000 / AT_ONCE; round++) {
                RingDriver queue = driver.ring();
                for (int i = 0; i < AT_ONCE; i++) {
                    int type = type(random);
                    long address = address(random);
                    int blocks = blocks(random);
                    driver.write(requests[i], type, address, blocks);
                    expected[i] = model.answer(type, address, blocks);
                    queue.add(List.of(Buffer.readable(requests[i], 24), Buffer.writable(responses[i], 10)));
                }
                queue.kick();
                for (int i = 0; i < AT_ONCE; i++) {
                    Used used = queue.await(LIMIT);
                    Response response = driver.read(responses[i], used);
                    if (!response.equals(expected[i])) {
                        assertThat(response)
                                .as("seed %d, round %d, request %d", seed, round, i)
                                .isEqualTo(expected[i]);
                    }
                }
            }
            assertThat(driver.config().pluggedSize()).isEqualTo(model.plugged.cardinality() * BLOCK);
            assertThat(backEnd.faults).isEmpty();
        }
    }

    private static int type(Random random) {
        int kind = random.nextInt(1000);
        if (kind == 0) {
            return MemDriver.UNPLUG_ALL;
        }
        return kind < 20
                ? 4 + random.nextInt(0xfffb)
                : kind < 420 ? MemDriver.PLUG : kind < 800 ? MemDriver.UNPLUG : MemDriver.STATE;
    }

    private static long address(Random random) {
        return switch (random.nextInt(20)) {
            case 0 -> random.nextLong();
            case 1 -> ADDRESS + random.nextLong(SIZE);
            case 2 -> ADDRESS - BLOCK * (1 + random.nextInt(3));
            default -> ADDRESS + BLOCK * random.nextInt(BLOCKS + 2);
        };
    }

    private static int blocks(Random random) {
        return switch (random.nextInt(20)) {
            case 0 -> 0;
            case 1 -> random.nextInt(0x10000);
            default -> 1 + random.nextInt(6);
        };
    }
}
