package org.exomem.migration.stream.format;

import java.time.Duration;
import java.util.HashSet;
import java.util.Set;

/**
 * The user's options for one end of the stream.
 *
 * @param channels the number of data connections, for a source; a destination accepts the source's number
 * @param offered features that may be used
 * @param required features without which the migration is refused; must be offered
 * @param plainAllowed whether memory may be sent unprotected to other hosts
 * @param patience the limit for connecting, for a handshake, and for a silent peer
 * @param answerWithin the limit for a live destination to answer a request, or to accept what it is sent; a paused guest
 *     waits meanwhile
 * @param resumeWithin how long after a lost connection a destination waits for the source, and how long a source tries to
 *     connect
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
     * The default number of data connections for a user. Two, because each has a thread at both ends: one thread reads pages
     * or encrypts while the other sends. More help on hosts with spare processors.
     */
    public static final int USUAL_CHANNELS = 2;

    /** The defaults for a program: one data connection, resumption, no compression. */
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
            throw new IllegalArgumentException(channels + " data connections; must be 1 to " + Preamble.MOST_CHANNELS);
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

    /** Returns these options with another limit for resumption; zero disables it. */
    public StreamOptions withResumeWithin(Duration limit) {
        Set<StreamFeature> features = new HashSet<>(offered);
        if (limit.isZero()) {
            features.remove(StreamFeature.RESUME);
        }
        return new StreamOptions(channels, features, required, plainAllowed, patience, answerWithin, limit);
    }
}
