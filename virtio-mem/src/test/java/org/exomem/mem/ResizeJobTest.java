package org.exomem.mem;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.exomem.mem.ResizeJob.Outcome;
import org.exomem.mem.ResizeJob.Presence;
import org.exomem.mem.ResizeJob.Status;
import org.junit.jupiter.api.Test;

/** A resize from its operator's view, with a clock that the test controls. */
class ResizeJobTest {
    private static final long SECOND = 1_000_000_000L;
    private static final long MIB = 1 << 20;

    private final List<Status> told = new ArrayList<>();
    private long now = 42;

    private ResizeJob job(long from, long to, Presence presence) {
        return new ResizeJob("vm/m0/1", from, to, presence, () -> now, state -> told.add(state.status()));
    }

    @Test
    void itRunsUntilAllIsPlugged() {
        ResizeJob job = job(0, 4 * MIB, Presence.DRIVER);
        assertThat(job.state().status()).isEqualTo(Status.RUNNING);
        job.pluggedIs(2 * MIB);
        assertThat(job.state().plugged()).isEqualTo(2 * MIB);
        job.pluggedIs(4 * MIB);
        assertThat(job.state().outcome()).isEqualTo(Outcome.DONE);
        assertThat(told).containsExactly(Status.RUNNING, Status.CONCLUDED);
    }

    @Test
    void nothingToDoIsOverAtOnce() {
        assertThat(job(MIB, MIB, Presence.NOBODY).state().outcome()).isEqualTo(Outcome.DONE);
        assertThat(told).containsExactly(Status.CONCLUDED);
    }

    @Test
    void withoutFrontEndOrDriverItSaysSoAndGoesOnWhenTheyCome() {
        ResizeJob job = job(0, 4 * MIB, Presence.NOBODY);
        assertThat(job.state().reason()).isEqualTo("no VMM is connected");
        assertThat(job.look()).as("only an event can change it").isEmpty();
        job.presenceIs(Presence.FRONT_END);
        assertThat(job.state().reason()).isEqualTo("the guest's driver has not started");
        job.presenceIs(Presence.DRIVER);
        assertThat(job.state().status()).isEqualTo(Status.RUNNING);
        assertThat(job.state().reason()).isNull();
        job.presenceIs(Presence.NOBODY);
        assertThat(told).containsExactly(Status.STALLED, Status.RUNNING, Status.STALLED);
    }

    @Test
    void guestThatDoesNotMoveForFiveSecondsRefuses() {
        ResizeJob job = job(0, 8 * MIB, Presence.DRIVER);
        assertThat(job.look()).hasValue(ResizeJob.PATIENCE);
        now += 3 * SECOND;
        job.pluggedIs(2 * MIB);
        assertThat(job.look()).as("every step starts the time anew").hasValue(ResizeJob.PATIENCE);
        now += ResizeJob.PATIENCE;
        assertThat(job.look()).isEmpty();
        assertThat(job.state().status()).isEqualTo(Status.STALLED);
        assertThat(job.state().reason()).contains("the guest does not plug more");
    }

    @Test
    void guestThatCanNotUnplugSaysSomethingElse() {
        ResizeJob job = job(8 * MIB, 0, Presence.DRIVER);
        now += ResizeJob.PATIENCE;
        job.look();
        assertThat(job.state().reason()).contains("the guest does not unplug more");
    }

    @Test
    void whatStandsStillGoesOnWithTheNextStep() {
        ResizeJob job = job(8 * MIB, 0, Presence.DRIVER);
        now += ResizeJob.PATIENCE;
        job.look();
        job.pluggedIs(4 * MIB);
        assertThat(job.state().status()).isEqualTo(Status.RUNNING);
        assertThat(job.look()).hasValue(ResizeJob.PATIENCE);
    }

    @Test
    void stepInTheWrongDirectionIsNoProgress() {
        ResizeJob job = job(4 * MIB, 8 * MIB, Presence.DRIVER);
        now += 4 * SECOND;
        job.pluggedIs(2 * MIB);
        assertThat(job.look()).hasValue(SECOND);
        assertThat(job.state().plugged()).isEqualTo(2 * MIB);
    }

    @Test
    void hostWithoutRoomIsTheReasonUntilSomethingMoves() {
        ResizeJob job = job(0, 8 * MIB, Presence.DRIVER);
        job.hostIsBusy("no space");
        job.hostIsBusy("still no space");
        assertThat(job.state().reason()).isEqualTo("the host can't carry out the request: still no space");
        job.pluggedIs(2 * MIB);
        assertThat(job.state().status()).isEqualTo(Status.RUNNING);
        assertThat(told).containsExactly(Status.RUNNING, Status.STALLED, Status.RUNNING);
    }

    @Test
    void resumingGivesTheGuestAnotherChance() {
        ResizeJob job = job(8 * MIB, 0, Presence.DRIVER);
        now += ResizeJob.PATIENCE;
        job.look();
        job.resume();
        assertThat(job.state().status()).isEqualTo(Status.RUNNING);
        assertThat(job.look()).hasValue(ResizeJob.PATIENCE);
    }

    @Test
    void resumingWithoutDriverChangesNothing() {
        ResizeJob job = job(8 * MIB, 0, Presence.FRONT_END);
        job.resume();
        assertThat(job.state().status()).isEqualTo(Status.STALLED);
    }

    @Test
    void whatIsOverStaysOver() {
        ResizeJob cancelled = job(0, 8 * MIB, Presence.DRIVER);
        cancelled.cancel();
        cancelled.pluggedIs(8 * MIB);
        cancelled.hostIsBusy("late");
        cancelled.presenceIs(Presence.NOBODY);
        cancelled.replace();
        assertThat(cancelled.state().outcome()).isEqualTo(Outcome.CANCELLED);
        assertThat(cancelled.state().plugged()).isZero();
        assertThat(cancelled.state().reason()).isNull();
        assertThat(told).containsExactly(Status.RUNNING, Status.CONCLUDED);
    }

    @Test
    void replacedJobSaysSo() {
        ResizeJob job = job(0, 8 * MIB, Presence.DRIVER);
        job.replace();
        assertThat(job.state().outcome()).isEqualTo(Outcome.REPLACED);
    }

    @Test
    void rateIsOfTheLastSeconds() {
        ResizeJob job = job(0, 1000 * MIB, Presence.DRIVER);
        assertThat(job.state().rate()).isZero();
        for (int second = 1; second <= 4; second++) {
            now += SECOND;
            job.pluggedIs(second * 100L * MIB);
            assertThat(job.state().rate()).isEqualTo(100 * MIB);
        }
        now += SECOND;
        job.pluggedIs(450 * MIB);
        assertThat(job.state().rate()).isBetween(50 * MIB, 100 * MIB);
        now += SECOND;
        job.state();
        now += SECOND;
        assertThat(job.state().rate()).as("it stands still").isZero();
    }
}
