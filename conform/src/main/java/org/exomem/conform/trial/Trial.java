package org.exomem.conform.trial;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * What a check works with. All that it opens is closed at its end, the last first. For one thread.
 *
 * <p>A check says what it found by what it throws: nothing if the requirement is kept, {@link Unmet} if it is not,
 * {@link Skipped} if the back-end does not offer what is needed. An {@link IOException} counts as unmet, one of a limit as a
 * hang.
 */
public final class Trial implements AutoCloseable {
    /** Enough for every ring and request of a check, and small enough to be shared hundreds of times. */
    private static final long RAM_SIZE = 16L << 20;

    private static final int RING_SIZE = 64;
    /** Guest memory from 0 on that nothing of a check is put into: a device of another type may take zeros for addresses or page numbers. */
    private static final long SPARE = 64 << 10;

    private final BackEnd backEnd;
    private final Limits limits;
    private final DeviceType type;
    private final @Nullable Sample sample;
    private final Transcript transcript;
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final List<String> refusals = new ArrayList<>();

    /** @param sample the request that the device serves; null if none is known */
    public Trial(BackEnd backEnd, Limits limits, DeviceType type, @Nullable Sample sample, Transcript transcript) {
        this.backEnd = backEnd;
        this.limits = limits;
        this.type = type;
        this.sample = sample;
        this.transcript = transcript;
    }

    public BackEnd backEnd() {
        return backEnd;
    }

    public Limits limits() {
        return limits;
    }

    public DeviceType type() {
        return type;
    }

    public Transcript transcript() {
        return transcript;
    }

    /** The request that the device serves, if one is known. */
    public Optional<Sample> sample() {
        return Optional.ofNullable(sample);
    }

    /** Has something closed when the check ends. */
    public <T extends AutoCloseable> T closeLater(T opening) {
        opened.push(opening);
        return opening;
    }

    // Sessions

    /** A connection on which nothing was said yet. */
    public FrontEnd connect() throws IOException {
        return closeLater(
                new FrontEnd(backEnd.connect(), limits.answer(), transcript.frontEnd(), transcript.backEndChannel()));
    }

    /** A session with 16 MiB of guest memory from 0 on, and what the device needs besides, in which no ring runs yet. */
    public Session session(Wish wish) throws IOException {
        return session(wish, closeLater(GuestRam.ofLayout(memoryWith(0, RAM_SIZE))));
    }

    /** A layout of guest memory, in pairs of address and size, followed by what the device needs. */
    public long[] memoryWith(long... addressesAndSizes) {
        long[] own = sample == null ? new long[0] : sample.memory();
        long[] all = Arrays.copyOf(addressesAndSizes, addressesAndSizes.length + own.length);
        System.arraycopy(own, 0, all, addressesAndSizes.length, own.length);
        return all;
    }

    /** A session with guest memory of the check's own. */
    public Session session(Wish wish, GuestRam ram) throws IOException {
        return session(wish, ram, RING_SIZE);
    }

    /** A session whose rings have a size of the check's own. */
    public Session session(Wish wish, GuestRam ram, int ringSize) throws IOException {
        FrontEnd frontEnd = connect();
        long offered = frontEnd.getFeatures();
        long ownFeatures = sample == null ? 0 : sample.features();
        requireFeatures(offered, wish.requiredFeatures());
        if (wish.requiredProtocol() != 0) {
            requireFeatures(offered, Features.PROTOCOL_FEATURES);
            requireProtocol(frontEnd.getProtocolFeatures(), wish.requiredProtocol());
        }
        AttachedDevice device = closeLater(AttachedDevice.attach(
                frontEnd,
                ram,
                wish.requiredFeatures() | wish.wantedFeatures() | ownFeatures,
                wish.requiredProtocol() | wish.wantedProtocol()));
        device.watch(transcript);
        ram.allocate(SPARE, GuestRam.PAGE);
        return new Session(device, ram, limits, sample, ringSize);
    }

    /** A session whose rings run. */
    public Session running(Wish wish) throws IOException {
        return session(wish).start();
    }

    // What the back-end offers

    /** Skips the check unless all of these virtio features are among those that are offered. */
    public void requireFeatures(long offered, long needed) {
        if ((needed & ~offered) != 0) {
            throw new Skipped("the back-end does not offer " + FeatureNames.features(needed & ~offered));
        }
    }

    /** Skips the check unless all of these protocol features are among those that are offered. */
    public void requireProtocol(long offered, long needed) {
        if ((needed & ~offered) != 0) {
            throw new Skipped("the back-end does not offer " + FeatureNames.protocol(needed & ~offered));
        }
    }

    // Findings

    /** Fails the check unless that is so. */
    public void expect(boolean met, String otherwise) {
        if (!met) {
            throw new Unmet(otherwise);
        }
    }

    /**
     * The back-end has to refuse a request: an error as its reply passes, a connection that was closed passes as a refusal.
     *
     * @param what the request, for the message: "a region that overlaps another one"
     */
    public void expectRefused(Outcome outcome, String what) {
        switch (outcome) {
            case Outcome.Accepted() -> throw new Unmet(what + " was accepted");
            case Outcome.RefusedBy(String how) -> transcript.say(what + " was refused: " + how);
            case Outcome.ClosedConnection() -> refused(what);
        }
    }

    /** Notes that the back-end closed the connection because of something, which is allowed: the verdict is a refusal. */
    public void refused(String what) {
        transcript.say("the back-end closed the connection because of " + what);
        refusals.add(what);
    }

    /** What the back-end closed the connection for, where that is allowed. */
    public List<String> refusals() {
        return List.copyOf(refusals);
    }

    /** Sends a request that may be refused, on a connection without a session; see {@link Session#attempt}. */
    public Outcome attempt(FrontEnd frontEnd, int request, byte[] payload, List<Fd> fds) throws IOException {
        return Session.attempt(frontEnd, request, payload, fds);
    }

    /** True as soon as the condition holds; false if it does not within the time of an answer. */
    public boolean within(BooleanSupplier condition) {
        return Waiting.until(condition, limits.answer());
    }

    /** True as soon as the condition holds; false if it does not within the quiet time. For what may happen or not. */
    public boolean soon(BooleanSupplier condition) {
        return Waiting.until(condition, limits.quiet());
    }

    /** Fails the check if the condition comes true within the quiet time. */
    public void expectNever(BooleanSupplier condition, String otherwise) {
        expect(!Waiting.until(condition, limits.quiet()), otherwise);
    }

    /** Closes all that was opened. */
    @Override
    public void close() {
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                transcript.say("closing failed: " + e.getMessage());
            }
        }
    }
}
