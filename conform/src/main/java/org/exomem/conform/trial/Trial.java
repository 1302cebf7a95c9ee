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
 * The tools of a check. Everything that it opens is closed at its end, in reverse order. For one thread.
 *
 * <p>A check reports its result by what it throws: nothing if the requirement is met, {@link Unmet} if it is not,
 * {@link Skipped} if the back-end does not offer what the check needs. An {@link IOException} counts as unmet; one of a
 * time limit counts as a hang.
 */
public final class Trial implements AutoCloseable {
    /**
     * Bytes of guest memory: enough for every ring and request of a check, and small enough to be shared hundreds of
     * times.
     */
    private static final long RAM_SIZE = 16L << 20;

    private static final int RING_SIZE = 64;
    /**
     * Bytes of guest memory from address 0 that a check never uses: a device of another type may read zeros as
     * addresses or page numbers.
     */
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

    /** Closes an object when the check ends. */
    public <T extends AutoCloseable> T closeLater(T opening) {
        opened.push(opening);
        return opening;
    }

    // Sessions

    /** Opens a connection; nothing was sent on it yet. */
    public FrontEnd connect() throws IOException {
        return closeLater(
                new FrontEnd(backEnd.connect(), limits.answer(), transcript.frontEnd(), transcript.backEndChannel()));
    }

    /**
     * A session with 16 MiB of guest memory from address 0, and the memory that the device needs in addition. No ring
     * runs yet.
     */
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

    /** A session with the given guest memory. */
    public Session session(Wish wish, GuestRam ram) throws IOException {
        return session(wish, ram, RING_SIZE);
    }

    /** A session whose rings have the given size. */
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

    /** Skips the check unless all of the needed virtio features are offered. */
    public void requireFeatures(long offered, long needed) {
        if ((needed & ~offered) != 0) {
            throw new Skipped("the back-end does not offer " + FeatureNames.features(needed & ~offered));
        }
    }

    /** Skips the check unless all of the needed protocol features are offered. */
    public void requireProtocol(long offered, long needed) {
        if ((needed & ~offered) != 0) {
            throw new Skipped("the back-end does not offer " + FeatureNames.protocol(needed & ~offered));
        }
    }

    // Findings

    /** Fails the check unless {@code met} is true. */
    public void expect(boolean met, String otherwise) {
        if (!met) {
            throw new Unmet(otherwise);
        }
    }

    /**
     * Checks that the back-end refused a request. An error reply passes. A closed connection passes as a refusal.
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

    /** Records that the back-end closed the connection for a reason that allows it: the verdict is a refusal. */
    public void refused(String what) {
        transcript.say("the back-end closed the connection because of " + what);
        refusals.add(what);
    }

    /** The reasons for which the back-end closed the connection, where that is allowed. */
    public List<String> refusals() {
        return List.copyOf(refusals);
    }

    /** Sends a request that may be refused, on a connection without a session; see {@link Session#attempt}. */
    public Outcome attempt(FrontEnd frontEnd, int request, byte[] payload, List<Fd> fds) throws IOException {
        return Session.attempt(frontEnd, request, payload, fds);
    }

    /** Returns true as soon as the condition holds; false if it does not within the time of an answer. */
    public boolean within(BooleanSupplier condition) {
        return Waiting.until(condition, limits.answer());
    }

    /**
     * Returns true as soon as the condition holds; false if it does not within the quiet time. For events that may or
     * may not happen.
     */
    public boolean soon(BooleanSupplier condition) {
        return Waiting.until(condition, limits.quiet());
    }

    /** Fails the check if the condition becomes true within the quiet time. */
    public void expectNever(BooleanSupplier condition, String otherwise) {
        expect(!Waiting.until(condition, limits.quiet()), otherwise);
    }

    /** Closes everything that was opened. */
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
