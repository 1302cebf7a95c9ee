package org.exomem.migration.stream.format;

import java.time.Duration;
import java.util.HashSet;
import java.util.Set;

/**
 * What an end of the stream is told by its user.
 *
 * @param channels data connections, for a source; a destination takes what comes
 * @param offered features that may be used
 * @param required features without which there shall be no migration; among the offered ones
 * @param plainAllowed true if memory may travel unprotected to other hosts
 * @param patience how long connecting, a handshake, and a silent peer are waited for
 * @param answerWithin how long a destination that lives may take to do what it was asked, or to take what it is sent; a paused
 *     guest waits meanwhile
 * @param resumeWithin how long after a cut a destination waits for the source to come back, and how long a source tries
 */
public record StreamOptions(
        int channels,
        Set<StreamFeature> offered,
        Set<StreamFeature> required,
        boolean plainAllowed,
        Duration patience,
        Duration answerWithin,
        Duration resumeWithin) {
    /**
     * The data connections that a user gets who asks for no number. Two, because each has a thread of its own at both ends: one
     * looks at pages or encrypts while the other's are on their way. More are of use on hosts with processors to spare.
     */
    public static final int USUAL_CHANNELS = 2;

    /** The defaults of one who builds on this: one data connection, resumption, no compression. */
    public static StreamOptions defaults() {
        return new StreamOptions(
                1,
                Set.of(StreamFeature.RESUME),
                Set.of(),
                false,
                Duration.ofSeconds(20),
                Duration.ofMinutes(2),
                Duration.ofSeconds(60));
    }

    public StreamOptions {
        offered = Set.copyOf(offered);
        required = Set.copyOf(required);
        if (channels < 1 || channels > Preamble.MOST_CHANNELS) {
            throw new IllegalArgumentException(
                    channels + " data connections; there may be 1 to " + Preamble.MOST_CHANNELS);
        }
        if (!offered.containsAll(required)) {
            throw new IllegalArgumentException("features are required that are not offered");
        }
    }

    public StreamOptions withChannels(int number) {
        return new StreamOptions(number, offered, required, plainAllowed, patience, answerWithin, resumeWithin);
    }

    public StreamOptions withFeatures(Set<StreamFeature> features, Set<StreamFeature> needed) {
        return new StreamOptions(channels, features, needed, plainAllowed, patience, answerWithin, resumeWithin);
    }

    public StreamOptions withPlainAllowed(boolean allowed) {
        return new StreamOptions(channels, offered, required, allowed, patience, answerWithin, resumeWithin);
    }

    public StreamOptions withPatience(Duration limit) {
        return new StreamOptions(channels, offered, required, plainAllowed, limit, answerWithin, resumeWithin);
    }

    public StreamOptions withAnswerWithin(Duration limit) {
        return new StreamOptions(channels, offered, required, plainAllowed, patience, limit, resumeWithin);
    }

    /** Coming back after a cut within a limit; zero: not at all. */
    public StreamOptions withResumeWithin(Duration limit) {
        Set<StreamFeature> features = new HashSet<>(offered);
        if (limit.isZero()) {
            features.remove(StreamFeature.RESUME);
        }
        return new StreamOptions(channels, features, required, plainAllowed, patience, answerWithin, limit);
    }
}
