package org.exomem.migration.stream.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.HandoverUncertainException;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.destination.Reception.Event;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.Wire;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A destination's states, without connections. */
class ReceptionTest {
    private static final IOException CUT = new IOException("cut");

    private final ReceivingLink link = link(Set.of(StreamFeature.RESUME));
    private final ReceivingLink next = link(Set.of(StreamFeature.RESUME));

    private static final class Nowhere implements Wire {
        @Override
        public void write(ByteBuffer[] sources) {}

        @Override
        public int read(ByteBuffer into) {
            return -1;
        }

        @Override
        public void finishWriting() {}

        @Override
        public String peer() {
            return "nobody";
        }

        @Override
        public void close() {}
    }

    private static ReceivingLink link(Set<StreamFeature> features) {
        Wire wire = new Nowhere();
        ChunkWriter writer = new ChunkWriter(wire, 0, new BandwidthLimit(BandwidthLimit.NONE), null, false);
        return new ReceivingLink(wire, writer, features, 1);
    }

    private static Reception after(Reception state, Event... events) throws IOException {
        Reception now = state;
        for (Event event : events) {
            now = Reception.next(now, event);
        }
        return now;
    }

    private Reception ready() throws IOException {
        return after(new Reception.Receiving(link), new Event.Ended(link), new Event.Prepared());
    }

    @Test
    void aMigrationWithoutFailuresEndsConfirmed() throws Exception {
        assertThat(after(ready(), new Event.LetGo(link), new Event.Started(false), new Event.Heard()))
                .isEqualTo(new Reception.Confirmed(link));
    }

    @Test
    @Tag("STR-RES-1")
    void aCutIsUndoneByTheSourceThatComesBackAndFinalAfterItsTime() throws Exception {
        Reception cut = after(new Reception.Receiving(link), new Event.Lost(link, CUT));
        assertThat(cut.phase()).isEqualTo(Phase.RECEIVING);
        assertThat(after(cut, new Event.Resumed(next))).isEqualTo(new Reception.Receiving(next));
        assertThat(after(cut, new Event.Lost(link, new IOException("another")))).isSameAs(cut);
        Reception failing = after(cut, new Event.TimeOut(link, Duration.ofSeconds(3)));
        assertThat(failing)
                .isInstanceOfSatisfying(
                        Reception.Failing.class,
                        of -> assertThat(of.why()).hasMessageContaining("did not reconnect within 3000 ms"));
        assertThat(after(failing, new Event.LastLeft())).isInstanceOf(Reception.Failed.class);
        assertThatThrownBy(() -> after(failing, new Event.Resumed(next))).isInstanceOf(StreamFault.class);
    }

    @Test
    void theTimeOfAnEarlierCutDoesNotEndALaterOne() throws Exception {
        Reception later = after(
                new Reception.Receiving(link),
                new Event.Lost(link, CUT),
                new Event.Resumed(next),
                new Event.Lost(next, CUT));
        assertThat(after(later, new Event.TimeOut(link, Duration.ofSeconds(3)))).isSameAs(later);
    }

    @Test
    @Tag("STR-ERR-2")
    @Tag("STR-RES-7")
    void aFaultIsFinalAndSoIsACutWhereComingBackWasNotAgreedOn() throws Exception {
        assertThat(after(new Reception.Receiving(link), new Event.Lost(link, new StreamFault("nonsense"))))
                .isInstanceOf(Reception.Failing.class);
        ReceivingLink once = link(Set.of());
        assertThat(after(new Reception.Receiving(once), new Event.Lost(once, CUT)))
                .isInstanceOf(Reception.Failing.class);
    }

    @Test
    @Tag("STR-RES-5")
    void aGuestIsMadeReadyOnceThoughTheConnectionIsLostMeanwhile() throws Exception {
        Reception back = after(
                new Reception.Receiving(link),
                new Event.Ended(link),
                new Event.Lost(link, CUT),
                new Event.Prepared(),
                new Event.Resumed(next));
        assertThat(back).isEqualTo(new Reception.Ready(next));
        assertThat(back.phase()).isEqualTo(Phase.READY);
    }

    @Test
    void aGuestThatCannotBeMadeReadyIsGivenUpThoughTheConnectionIsLostMeanwhile() throws Exception {
        Reception failing = after(
                new Reception.Receiving(link),
                new Event.Ended(link),
                new Event.Lost(link, CUT),
                new Event.Lost(link, new DestinationFault("no", CUT)));
        assertThat(failing).isInstanceOf(Reception.Failing.class);
    }

    @Test
    @Tag("STR-END-3")
    void onceTheSourceHasLetGoOnlyAFailureToStartGivesTheGuestBack() throws Exception {
        Reception starting = after(ready(), new Event.LetGo(link));
        for (IOException why : List.of(CUT, new StreamFault("nonsense"), new DestinationFault("no room", CUT))) {
            Reception cut = after(starting, new Event.Lost(link, why));
            assertThat(cut).isEqualTo(new Reception.Starting(link, why));
            assertThat(after(cut, new Event.Resumed(next))).isEqualTo(new Reception.Starting(next, null));
            // With owed pages the cut is noticed: otherwise a thread that needs one would wait for ever.
            assertThat(after(cut, new Event.Started(true))).isEqualTo(new Reception.Owing(link, why));
        }
        assertThat(after(starting, new Event.Stop())).isSameAs(starting);
        assertThat(after(starting, new Event.StartFailed(new DestinationFault("no", CUT))))
                .isInstanceOf(Reception.Failing.class);
        Reception uncertain = after(starting, new Event.StartUncertain(new HandoverUncertainException("?", CUT)));
        assertThatThrownBy(() -> after(uncertain, new Event.Resumed(next)))
                .isExactlyInstanceOf(IOException.class)
                .hasMessageContaining("can't resume");
    }

    @Test
    @Tag("STR-CHUNK-4")
    void chunksThatComeTooEarlyAreFaults() {
        Reception receiving = new Reception.Receiving(link);
        assertThatThrownBy(() -> after(receiving, new Event.LetGo(link))).isInstanceOf(StreamFault.class);
        assertThatThrownBy(() -> after(receiving, new Event.Heard()))
                .hasMessage("HEARD arrived before RUNNING was sent");
        assertThatThrownBy(() -> after(ready(), new Event.Ended(link))).isInstanceOf(StreamFault.class);
    }

    @Test
    @Tag("STR-PST-7")
    void aCutIsFinalFromThePromiseOfPagesOnUntilTheGuestIsReady() throws Exception {
        Reception listening = after(new Reception.Receiving(link), new Event.Promised(link));
        assertThat(listening.phase()).isEqualTo(Phase.RECEIVING);
        assertThat(listening.owes()).isTrue();
        Reception complete = after(listening, new Event.Ended(link));
        assertThat(complete).isEqualTo(new Reception.Complete(link, true));
        for (Reception at : List.of(listening, complete)) {
            assertThat(after(at, new Event.Lost(link, CUT)))
                    .isInstanceOfSatisfying(
                            Reception.Failing.class,
                            of -> assertThat(of.complete())
                                    .as("memory was closed")
                                    .isTrue());
        }
        Reception ready = after(complete, new Event.Prepared());
        assertThat(after(ready, new Event.Lost(link, CUT))).isInstanceOf(Reception.Cut.class);
        assertThatThrownBy(() -> after(listening, new Event.Promised(link))).isInstanceOf(StreamFault.class);
    }

    @Test
    @Tag("STR-RES-2")
    void connectionsOfBeforeAreVoid() {
        assertThatThrownBy(() -> after(new Reception.Receiving(next), new Event.Ended(link)))
                .hasMessage("the source reconnected on another connection");
    }
}
