package org.exomem.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.exomem.benchmarks.PageRuns.Run;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.pages.Pages;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The memory device alone: how fast it plugs and unplugs. The driver in another process has everything ready before it
 * kicks, and sleeps until all is done.
 */
@Command(
        name = "device-plug",
        mixinStandardHelpOptions = true,
        description = "The memory device alone: requests per second, and unplugging compared with bare fallocate.")
final class DevicePlug extends Benchmark {
    private static final double WANTED_A_SECOND = 200_000;
    private static final double WANTED_OF_FALLOCATE = 0.9;
    private static final long BLOCK_PAGES = MemoryGuest.BLOCK / Pages.SIZE;
    /** The number of blocks in one request of Linux if a memory block of x86-64, 128 MiB, is completely free. */
    private static final int LINUX_BLOCKS = (int) ((128L << 20) / MemoryGuest.BLOCK);

    private static final long SEED = 4711;

    @Option(names = "--requests", description = "Requests in each measurement. Default: ${DEFAULT-VALUE}")
    private int requests = 16384;

    @Option(
            names = "--memory",
            paramLabel = "MIB",
            description = "Memory that is filled and unplugged. Default: ${DEFAULT-VALUE}")
    private long memory = 1024;

    @Option(names = "--rounds", description = "Rounds of each shape. Default: ${DEFAULT-VALUE}")
    private int rounds = 9;

    @Option(names = "--warm-up", description = "Warm-up rounds, not measured. Default: ${DEFAULT-VALUE}")
    private int warmUp = 40;

    /** What the guest has written into its blocks before it unplugs them. */
    private enum Content {
        ALL_PAGES {
            @Override
            void write(GuestRam ram, Run run) {
                ram.fill(run.address(), run.bytes(), (byte) 1);
            }
        },
        ONE_PAGE_A_BLOCK {
            @Override
            void write(GuestRam ram, Run run) {
                for (long at = run.address(); at < run.address() + run.bytes(); at += MemoryGuest.BLOCK) {
                    ram.fill(at + MemoryGuest.BLOCK / 2, 1, (byte) 1);
                }
            }
        };

        abstract void write(GuestRam ram, Run run);

        final void write(GuestRam ram, List<Run> runs) {
            runs.forEach(run -> write(ram, run));
        }
    }

    @Override
    List<Figure> measure() throws IOException {
        List<Figure> figures = new ArrayList<>();
        for (boolean keepsState : List.of(false, true)) {
            for (RingFormat format : RingFormat.values()) {
                figures.addAll(count(format, keepsState));
            }
        }
        for (RingFormat format : RingFormat.values()) {
            figures.addAll(compare(format));
        }
        return figures;
    }

    /**
     * Blocks that the guest never touches: plugging and unplugging them is bookkeeping, and a system call for a hole.
     */
    private List<Figure> count(RingFormat format, boolean keepsState) throws IOException {
        long region = requests * MemoryGuest.BLOCK;
        List<Double> plugged = new ArrayList<>();
        List<Double> unplugged = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.startMemories(List.of(MemoryGuest.options("a", region)), keepsState);
                MemoryGuest guest = MemoryGuest.attach(
                        exomem.socket("a"), region, format, Integer.highestOneBit(4 * requests - 1))) {
            BlockRequests blocks = new BlockRequests(guest.ram(), inNoOrder(runs(region, 1)));
            for (int round = -warmUp; round < rounds; round++) {
                long plug = blocks.plug(guest.ring());
                long unplug = blocks.unplug(guest.ring());
                if (round >= 0) {
                    plugged.add(blocks.count() * 1e9 / plug);
                    unplugged.add(blocks.count() * 1e9 / unplug);
                }
            }
        }
        String what = format + (keepsState ? ", with a state file" : "");
        return List.of(
                Figure.of("plug a block, " + what, Median.of(plugged), "/s").atLeast(WANTED_A_SECOND),
                Figure.of("unplug an empty block, " + what, Median.of(unplugged), "/s")
                        .atLeast(WANTED_A_SECOND));
    }

    private List<Figure> compare(RingFormat format) throws IOException {
        // Small requests must be many, so that the wake-ups at both ends are negligible.
        long region = Math.max(requests * MemoryGuest.BLOCK, memory << 20);
        List<Figure> figures = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.startMemories(List.of(MemoryGuest.options("a", region)), false);
                MemoryGuest guest = MemoryGuest.attach(exomem.socket("a"), region, format, queueSize(region));
                BareFallocate bare = BareFallocate.start(guest.ram())) {
            List<Run> all = inNoOrder(runs(region, 1));
            warmUp(guest, bare, all);
            figures.addAll(
                    compare(guest, bare, all, Content.ONE_PAGE_A_BLOCK, format + ", blocks with a page in each"));
            figures.addAll(compare(
                    guest, bare, inNoOrder(runs(memory << 20, 1)), Content.ALL_PAGES, format + ", full blocks"));
            figures.addAll(compare(
                    guest,
                    bare,
                    inNoOrder(runs(memory << 20, LINUX_BLOCKS)),
                    Content.ALL_PAGES,
                    format + ", " + LINUX_BLOCKS + " full blocks at once"));
        }
        return figures;
    }

    /** The queue size for requests for all blocks of a region; each request has two descriptors. */
    private static int queueSize(long region) {
        return Integer.highestOneBit((int) (4 * region / MemoryGuest.BLOCK - 1));
    }

    /** A run before the measurements, for both. */
    private void warmUp(MemoryGuest guest, BareFallocate bare, List<Run> runs) throws IOException {
        BlockRequests blocks = new BlockRequests(guest.ram(), runs);
        bare.use(runs);
        for (int round = 0; round < warmUp; round++) {
            blocks.plug(guest.ring());
            blocks.unplug(guest.ring());
            bare.punch();
        }
    }

    /** The same ranges with the same content in the same order, by exomem and by plain calls of another process. */
    private List<Figure> compare(MemoryGuest guest, BareFallocate bare, List<Run> runs, Content content, String what)
            throws IOException {
        BlockRequests requests = new BlockRequests(guest.ram(), runs);
        bare.use(runs);
        List<Double> rates = new ArrayList<>();
        List<Double> ratios = new ArrayList<>();
        for (int round = -2; round < rounds; round++) {
            // Plugged in both cases, because the patrol examines only unplugged blocks.
            requests.plug(guest.ring());
            content.write(guest.ram(), runs);
            double bareRate = runs.size() * 1e9 / bare.punch();
            requireEmpty(guest.ram());
            content.write(guest.ram(), runs);
            double rate = runs.size() * 1e9 / requests.unplug(guest.ring());
            requireEmpty(guest.ram());
            if (round >= 0) {
                rates.add(rate);
                ratios.add(rate / bareRate);
            }
        }
        return List.of(
                Figure.of("unplug, " + what, Median.of(rates), "/s"),
                Figure.of("  relative to the rate of bare fallocate", Median.of(ratios), "")
                        .atLeast(WANTED_OF_FALLOCATE));
    }

    /** The whole region in runs of {@code blocks} blocks. */
    private static List<Run> runs(long region, int blocks) {
        List<Run> runs = new ArrayList<>();
        long pages = Math.min(blocks * BLOCK_PAGES, region / Pages.SIZE);
        for (long at = MemoryGuest.OWN; at + pages * Pages.SIZE <= MemoryGuest.OWN + region; at += pages * Pages.SIZE) {
            runs.add(new Run(at / Pages.SIZE, (int) pages));
        }
        return runs;
    }

    private static List<Run> inNoOrder(List<Run> runs) {
        List<Run> shuffled = new ArrayList<>(runs);
        Collections.shuffle(shuffled, new Random(SEED));
        return shuffled;
    }

    private static void requireEmpty(GuestRam ram) throws IOException {
        if (ram.hostBytes() > MemoryGuest.OWN) {
            throw new IOException(ram.hostBytes() + " bytes are still allocated after all blocks were unplugged");
        }
    }
}
