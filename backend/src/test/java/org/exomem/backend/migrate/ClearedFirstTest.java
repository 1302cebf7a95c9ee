package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.exomem.migration.CancelToken;
import org.exomem.migration.GuestPages;
import org.exomem.migration.MigrationCancelledException;
import org.junit.jupiter.api.Test;

/** A guest with 4 GiB, of which 3 are free, that hints a certain number of bytes a second. */
class ClearedFirstTest {
    private static final long GIB = 1L << 30;
    private static final long MEMORY = 4 * GIB;
    private static final long FREE = 3 * GIB;
    private static final int PAGE = 4096;

    private final CancelToken cancel = new CancelToken();
    private long now;
    private long begun;
    private boolean finished;

    private final ClearedFirst.Time time = new ClearedFirst.Time() {
        @Override
        public long nanos() {
            return now;
        }

        @Override
        public void pass(Duration time) {
            now += time.toNanos();
        }
    };

    private final class Guest implements ClearedFirst.Driver, GuestPages {
        private final long rate;
        private final boolean clears;

        Guest(long rate, boolean clears) {
            this.rate = rate;
            this.clears = clears;
        }

        private long hinted() {
            return Math.min(FREE, (long) (rate * ((now - begun) / 1e9)));
        }

        @Override
        public void start() {
            begun = now;
        }

        @Override
        public void finish() {
            finished = true;
        }

        @Override
        public ClearedFirst.Hints hints() {
            return new ClearedFirst.Hints(hinted(), hinted() == FREE);
        }

        @Override
        public long pages() {
            return MEMORY / PAGE;
        }

        @Override
        public int pageSize() {
            return PAGE;
        }

        @Override
        public long nextData(long from) {
            return from;
        }

        @Override
        public long nextHole(long from) {
            return pages();
        }

        @Override
        public void read(long first, MemorySegment into) {
            into.fill((byte) (clears && first * PAGE < hinted() ? 0 : 1));
        }
    }

    private boolean run(Guest guest) throws IOException {
        return ClearedFirst.run(guest, guest, time, cancel);
    }

    private long millis() {
        return (now - begun) / 1_000_000;
    }

    @Test
    void guestThatClearsIsWaitedForToItsLastHintAndNotAskedAgain() throws IOException {
        assertThat(run(new Guest(GIB, true))).isTrue();
        assertThat(millis()).isBetween(3000L, 3020L);
        assertThat(finished).isTrue();
    }

    @Test
    void guestThatDoesNotClearIsFoundOutByItsFirstHints() throws IOException {
        assertThat(run(new Guest(4 * GIB, false))).isFalse();
        assertThat(millis()).isLessThan(100);
        assertThat(finished).isTrue();
    }

    @Test
    void guestThatHintsSlowlyIsNotWaitedFor() throws IOException {
        assertThat(run(new Guest(GIB / 8, true))).as("it clears").isTrue();
        assertThat(millis()).isLessThan(1000);
        assertThat(finished).isTrue();
    }

    @Test
    void driverThatIsSilentCostsAQuarterOfASecond() throws IOException {
        assertThat(run(new Guest(0, true))).isFalse();
        assertThat(millis()).isLessThan(350);
        assertThat(finished).isTrue();
    }

    @Test
    void migrationThatIsCancelledLeavesTheDriverItsPages() {
        cancel.cancel();
        assertThatThrownBy(() -> run(new Guest(GIB, true))).isInstanceOf(MigrationCancelledException.class);
        assertThat(finished).isTrue();
    }
}
