package org.exomem.migration.stream.source;

import java.io.IOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import org.exomem.migration.GuestPages;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.Preamble;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.pages.PageBits;

/**
 * A source that owes pages, and the messages that a destination sends to it before the source sends any. For a fuzzer,
 * which determines these messages.
 */
public final class FuzzedOwner implements AutoCloseable {
    private static final ScheduledThreadPoolExecutor TIMER = new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().name("fuzz-timer").daemon().unstarted(task));
    private static final StreamOptions OPTIONS = StreamOptions.defaults().withPatience(Duration.ofSeconds(10));

    private final MemoryDescription memory;
    private final PageBits promised;
    private final OwingSource owing;
    private final SourceLink link;

    /**
     * @param main the destination's messages; its chunks count from 0. It is read from now on, and waits until this
     * object is complete
     */
    public FuzzedOwner(
            MemoryDescription memory, GuestPages pages, PageBits promised, Wire main, CompletableFuture<Void> made) {
        this.memory = memory;
        this.promised = promised;
        this.owing = new OwingSource(pages, promised);
        this.link = new SourceLink(greeting(main, Preamble.Role.MAIN, 0), TIMER, OPTIONS);
        link.serve(owing);
        made.complete(null);
    }

    private static Greeting greeting(Wire wire, Preamble.Role role, int channel) {
        Set<StreamFeature> features = EnumSet.of(StreamFeature.RESUME, StreamFeature.POSTCOPY);
        long bits = StreamFeature.bits(features);
        Preamble preamble =
                new Preamble(Preamble.VERSION, Preamble.VERSION, role, channel, bits, bits, new UUID(1, 2), 0, 2);
        return new Greeting(wire, preamble, preamble, features);
    }

    /** Waits until all messages of the destination were read. Returns the reason of the end. */
    public String awaitEnd() {
        try {
            return String.valueOf(
                    link.because(new IOException("it does not end")).getMessage());
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /** The pages that the destination reported missing, if its list is complete. */
    public Optional<PageBits> missing() {
        try {
            return Optional.of(link.awaitMissing());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** True if the destination has reported that all pages are there. */
    public boolean hasArrived() {
        try {
            link.awaitArrived(() -> {});
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Sends the requested pages, and nothing else. Returns when {@code count} pages have been sent. */
    public void sendWanted(Wire to, long count) {
        SenderChannel channel = new SenderChannel(memory, null, new BandwidthLimit(BandwidthLimit.NONE));
        channel.attach(link, greeting(to, Preamble.Role.DATA, 0));
        owing.begin(link, List.of(channel), promised);
        while (promised.count() - owing.left() < count) {
            Thread.onSpinWait();
        }
        owing.close();
        channel.close();
    }

    @Override
    public void close() {
        link.close();
        TIMER.getQueue().clear();
    }
}
