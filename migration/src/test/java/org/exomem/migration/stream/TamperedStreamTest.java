package org.exomem.migration.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.stream.destination.MigrationReceiver;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever happens to the bytes on their way, either the guest runs at the destination with its memory, or both ends
 * report the fault, and the source has the guest.
 */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class TamperedStreamTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final StreamOptions OPTIONS =
            StreamOptions.defaults().withFeatures(Set.of(), Set.of()).withPatience(Duration.ofSeconds(20));

    private final Held before = Held.now();
    private final TestSource source = new TestSource(5, 7);

    @AfterEach
    void nothingIsLeft() {
        before.awaitSame();
    }

    /** The number of bytes that the source sends on one connection in a whole migration. */
    private long bytesOn(int connection) throws Exception {
        AtomicLong sent = new AtomicLong();
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver = listen(destination);
                Tampered way = new Tampered(receiver.address(), (number, offset, bytes) -> {
                    if (number == connection) {
                        sent.addAndGet(bytes.remaining());
                    }
                    return true;
                })) {
            try (MigrationSender sender = connect(way)) {
                migrate(sender);
            }
            receiver.receive();
            assertThat(destination.content()).isEqualTo(source.content);
        }
        return sent.get();
    }

    private MigrationReceiver listen(TestDestination destination) throws IOException {
        return MigrationReceiver.listen(
                MigrationAddress.parse("127.0.0.1:0"), StreamSecurity.none(), OPTIONS, destination);
    }

    private MigrationSender connect(Tampered way) throws IOException {
        return MigrationSender.connect(
                way.address(), StreamSecurity.none(), OPTIONS, source.memory(), new BandwidthLimit(0));
    }

    private void migrate(MigrationSender sender) throws IOException {
        source.sendAll(sender, 1);
        sender.endRound();
        try (var state = sender.deviceState("cpu")) {
            state.write(new byte[] {1, 2, 3, 4, 5});
        }
        sender.finish();
        sender.handOver();
    }

    /** One migration with tampering. Checks that both ends know its outcome. */
    private void tamper(String what, Tampered.Tampering tampering) throws Exception {
        try (TestDestination destination = new TestDestination(source.memory());
                MigrationReceiver receiver = listen(destination);
                Tampered way = new Tampered(receiver.address(), tampering)) {
            IOException atSource = null;
            try (MigrationSender sender = connect(way)) {
                migrate(sender);
            } catch (IOException e) {
                atSource = e;
            }
            if (atSource == null) {
                receiver.receive();
                checkMoved(what, destination);
            } else {
                checkFailed(what, destination, atSource, reasonAt(destination, receiver));
            }
        }
    }

    private static IOException reasonAt(TestDestination destination, MigrationReceiver receiver) {
        await().atMost(LIMIT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(1))
                .until(() ->
                        destination.started || !destination.failures.isEmpty() || !destination.turnedAway.isEmpty());
        receiver.close();
        if (!destination.failures.isEmpty()) {
            return destination.failures.getFirst();
        }
        return destination.turnedAway.isEmpty() ? new IOException("started") : destination.turnedAway.getFirst();
    }

    private void checkMoved(String what, TestDestination destination) throws IOException {
        assertThat(destination.started).as(what).isTrue();
        assertThat(destination.content()).as(what).isEqualTo(source.content);
        assertThat(destination.state("cpu")).as(what).containsExactly(1, 2, 3, 4, 5);
    }

    private void checkFailed(String what, TestDestination destination, IOException atSource, IOException atDestination)
            throws IOException {
        if (destination.started) {
            checkMoved(what, destination);
            assertThat(atSource).as(what).isInstanceOf(HandoverUncertainException.class);
        } else {
            assertThat(destination.failures).as(what).hasSizeLessThanOrEqualTo(1);
            assertThat(destination.closed || destination.failures.isEmpty())
                    .as(what)
                    .isTrue();
        }
        for (IOException reason : List.of(atSource, atDestination)) {
            assertThat(reason.getMessage()).as(what).isNotBlank().doesNotContain("null", "Exception");
        }
        onlyWholePagesOf(what, destination);
    }

    /** Nothing of a bad chunk is applied: each page is the source's, or unchanged. */
    private void onlyWholePagesOf(String what, TestDestination destination) throws IOException {
        byte[] there = destination.content();
        byte[] zeros = new byte[TestSource.PAGE];
        for (int page = 0; page < source.pages(); page++) {
            int from = page * TestSource.PAGE;
            byte[] found = Arrays.copyOfRange(there, from, from + TestSource.PAGE);
            byte[] sent = Arrays.copyOfRange(source.content, from, from + TestSource.PAGE);
            assertThat(Arrays.equals(found, zeros) || Arrays.equals(found, sent))
                    .as("%s: page %d", what, page)
                    .isTrue();
        }
    }

    private static Tampered.Tampering cut(int connection, long at) {
        return (number, offset, bytes) -> {
            if (number == connection && at < offset + bytes.remaining()) {
                bytes.limit((int) (at - offset));
                return false;
            }
            return true;
        };
    }

    private static Tampered.Tampering flip(int connection, long at, int bit) {
        return (number, offset, bytes) -> {
            if (number == connection && at >= offset && at < offset + bytes.remaining()) {
                int place = (int) (at - offset);
                bytes.put(place, (byte) (bytes.get(place) ^ 1 << bit));
            }
            return true;
        };
    }

    /** All offsets of a small connection; for a large one the beginnings of its parts, and some in between. */
    private static long[] places(long bytes, int stride) {
        // 64 bytes of preamble, then mostly chunks of one page.
        return LongStream.range(0, bytes)
                .filter(at ->
                        at % stride == 0 || bytes - at < 160 || at < 64 || (at - 64) % (TestSource.PAGE + 40) < 44)
                .toArray();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    @Tag("STR-ERR-2")
    void aStreamThatIsCutAnywhereIsNoticedByBothEnds(int connection) throws Exception {
        for (long at : places(bytesOn(connection), 997)) {
            tamper("cut connection " + connection + " at " + at, cut(connection, at));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    @Tag("STR-CHUNK-1")
    @Tag("STR-DIG-4")
    void aFlippedBitAnywhereIsNoticedByBothEnds(int connection) throws Exception {
        SplittableRandom random = new SplittableRandom(connection);
        for (long at : places(bytesOn(connection), 997)) {
            int bit = random.nextInt(8);
            tamper("flip bit " + bit + " of byte " + at + " on connection " + connection, flip(connection, at, bit));
        }
    }
}
