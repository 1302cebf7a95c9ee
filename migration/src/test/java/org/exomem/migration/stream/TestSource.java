package org.exomem.migration.stream;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.exomem.migration.PageSink;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.MemoryDescription.MemoryFile;
import org.exomem.migration.stream.source.MigrationSender;

/** A source's memory, and code that sends all of it. */
final class TestSource {
    static final int PAGE = 4096;

    final byte[] content;
    private final MemorySegment bytes;

    TestSource(int pages, long seed) {
        content = new byte[pages * PAGE];
        Random random = new Random(seed);
        for (int page = 0; page < pages; page++) {
            byte[] one = new byte[PAGE];
            switch (page % 4) {
                case 0, 1 -> random.nextBytes(one);
                case 2 -> Arrays.fill(one, (byte) page);
                default -> {}
            }
            System.arraycopy(one, 0, content, page * PAGE, PAGE);
        }
        bytes = Arena.ofAuto().allocate(content.length, PAGE);
        bytes.copyFrom(MemorySegment.ofArray(content));
    }

    MemoryDescription memory() {
        return describe(content.length);
    }

    static MemoryDescription describe(long size) {
        return new MemoryDescription(PAGE, List.of(new MemoryFile("pc.ram", size, PAGE)));
    }

    MemorySegment pages(long first, long count) {
        return bytes.asSlice(first * PAGE, count * PAGE);
    }

    long pages() {
        return content.length / PAGE;
    }

    /** Sends runs of one length, on the channels in turn. */
    void sendAll(MigrationSender sender, long run) throws IOException {
        List<PageSink> channels = sender.channels();
        int next = 0;
        for (long first = 0; first < pages(); first += run) {
            long count = Math.min(run, pages() - first);
            PageSink channel = channels.get(next++ % channels.size());
            if (count == 1 && first % 4 == 3) {
                channel.zeros(first, 1);
            } else {
                channel.pages(first, pages(first, count));
            }
        }
    }

    /** Makes a whole migration. */
    void migrate(MigrationSender sender, long run) throws IOException {
        sendAll(sender, run);
        sender.endRound();
        sender.channels().getLast().pages(1, pages(1, 1));
        sender.endRound();
        try (OutputStream state = sender.deviceState("cpu")) {
            state.write(new byte[] {1, 2, 3});
        }
        try (OutputStream state = sender.deviceState("qemu")) {
            state.write(content);
        }
        sender.finish();
        sender.handOver();
    }
}
