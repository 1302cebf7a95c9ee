package org.exomem.conform.sample;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.FrontEnd;

/**
 * Finds a request that a device serves. For a known type it is the request of that type. Otherwise each request is
 * tried once, in a session of its own.
 */
public final class SampleChoice {
    /** A time within which a device certainly serves a harmless request. */
    private static final Limits LIMITS = new Limits(Duration.ofSeconds(1), Limits.USUAL.quiet());

    private SampleChoice() {}

    /**
     * Returns the request for a device; empty if the device serves none of the known ones.
     *
     * @throws IOException if the device is not of the given type
     */
    public static Optional<Sample> find(BackEnd backEnd, DeviceType type) throws IOException {
        return switch (type) {
            case BALLOON -> Optional.of(new BalloonSample());
            case MEM -> Optional.of(MemSample.read(connect(backEnd)));
            case ANY -> firstServed(backEnd);
        };
    }

    /**
     * The order ensures that no device seems to serve another type's request. A balloon accepts nearly anything as page
     * numbers, and a frame to send has no answer, so these two come last.
     */
    private static Optional<Sample> firstServed(BackEnd backEnd) {
        List<Sample> candidates = new ArrayList<>();
        try {
            candidates.add(MemSample.read(connect(backEnd)));
        } catch (IOException e) {
            // The device is not a memory device.
        }
        candidates.addAll(List.of(
                new BlkSample(),
                new FsSample(),
                new GpuSample(),
                new RngSample(),
                new BalloonSample(),
                new NetSample()));
        return candidates.stream().filter(sample -> isServed(backEnd, sample)).findFirst();
    }

    private static FrontEnd connect(BackEnd backEnd) throws IOException {
        return new FrontEnd(backEnd.connect(), LIMITS.answer());
    }

    private static boolean isServed(BackEnd backEnd, Sample sample) {
        try (Trial trial = new Trial(backEnd, LIMITS, DeviceType.ANY, sample, new Transcript())) {
            Session session = trial.running(Wish.USUAL);
            // Twice, because random bytes may look like an answer once.
            session.serve();
            session.serve();
            return true;
        } catch (IOException | Unmet | Skipped | IllegalStateException e) {
            // The device is not of that type.
            return false;
        }
    }
}
