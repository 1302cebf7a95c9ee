package org.exomem.migration.precopy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.LongFunction;
import org.exomem.migration.Fingerprint;
import org.exomem.migration.GuestPages;
import org.exomem.migration.PageSink;
import org.exomem.pages.PageBits;
import org.exomem.pages.RunVisitor;

/**
 * Reads pages and sends those that the destination does not have. It reads each page into a buffer of its own, and decides
 * about and sends exactly these bytes (MIG-DIRTY-6), because the guest may write at any time. For one thread.
 */
final class Courier {
    private enum Action {
        NOTHING,
        SEND,
        SEND_ZEROS
    }

    private final GuestPages memory;
    private final PageTable table;
    private final Fingerprint fingerprint;
    private final Tally tally;
    private final PageSink sink;
    private final int pageSize;
    private final MemorySegment buffer;
    private final long[] found = new long[2];
    private final RunVisitor<IOException> carry = this::carry;
    private final RunVisitor<IOException> look = this::look;

    /** @param allocator makes buffers of a number of bytes */
    Courier(
            GuestPages memory,
            PageTable table,
            Fingerprint fingerprint,
            Tally tally,
            PageSink sink,
            LongFunction<MemorySegment> allocator) {
        this.memory = memory;
        this.table = table;
        this.fingerprint = fingerprint.forAnotherThread();
        this.tally = tally;
        this.sink = sink;
        this.pageSize = memory.pageSize();
        this.buffer = allocator.apply((long) PageBits.WORD * pageSize);
    }

    /**
     * Reads pages, and sends those that differ at the destination.
     *
     * @throws IOException if memory can't be read, or the sink fails
     */
    void carry(Batch batch) throws IOException {
        batch.forEachRun(carry);
    }

    /**
     * Reads pages, and only keeps their fingerprints.
     *
     * @throws IOException if memory can't be read
     */
    void look(Batch batch) throws IOException {
        batch.forEachRun(look);
    }

    private void look(long first, long count) throws IOException {
        memory.read(first, buffer.asSlice(0, count * pageSize));
        for (int i = 0; i < count; i++) {
            if (!isZero(i)) {
                fingerprint.of(buffer, (long) i * pageSize, found);
                table.markSeen(first + i, found);
            }
        }
    }

    private void carry(long first, long count) throws IOException {
        memory.read(first, buffer.asSlice(0, count * pageSize));
        int from = 0;
        Action doing = Action.NOTHING;
        for (int i = 0; i < count; i++) {
            Action action = decide(first + i, i);
            if (action != doing) {
                carryOut(doing, first, from, i);
                doing = action;
                from = i;
            }
        }
        carryOut(doing, first, from, (int) count);
    }

    private Action decide(long page, int index) {
        if (isZero(index)) {
            return table.markZero(page) ? Action.SEND_ZEROS : Action.NOTHING;
        }
        fingerprint.of(buffer, (long) index * pageSize, found);
        // MIG-DIRTY-7
        if ((table.sent.contains(page) || table.assumedFree.contains(page)) && table.hasFingerprint(page, found)) {
            tally.unchanged.increment();
            return Action.NOTHING;
        }
        if (table.travelled.contains(page)) {
            tally.resent.increment();
        }
        table.markSent(page, found);
        return Action.SEND;
    }

    private boolean isZero(int index) {
        return fingerprint.isZero(buffer, (long) index * pageSize);
    }

    private void carryOut(Action action, long first, int from, int to) throws IOException {
        switch (action) {
            case NOTHING -> {}
            case SEND -> {
                sink.pages(first + from, buffer.asSlice((long) from * pageSize, (long) (to - from) * pageSize));
                tally.sent.add(to - from);
            }
            case SEND_ZEROS -> sink.zeros(first + from, to - from);
        }
    }
}
