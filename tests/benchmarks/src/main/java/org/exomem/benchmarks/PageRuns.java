package org.exomem.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.exomem.pages.Pages;

/** Pages of a guest that are put into the balloon: runs of neighbours, in the driver's order. No two runs touch. */
record PageRuns(String name, List<Run> runs) {
    /** Neighbouring pages, from page number {@code first} on. */
    record Run(long first, int pages) {
        long address() {
            return Pages.bytes(first);
        }

        long bytes() {
            return Pages.bytes(pages);
        }
    }

    private static final long SEED = 4711;
    private static final int LINUX_BUFFER = 256;
    private static final int LONGEST_MIXED = 64;

    /** Runs as long as a buffer of Linux's driver, in ascending order, with gaps of a quarter of that. */
    static PageRuns whole(long first, long end) {
        List<Run> runs = new ArrayList<>();
        for (long page = first; page + LINUX_BUFFER <= end; page += LINUX_BUFFER * 5 / 4) {
            runs.add(new Run(page, LINUX_BUFFER));
        }
        return new PageRuns("runs of 256 pages", runs);
    }

    /** Every other page, in random order. */
    static PageRuns scattered(long first, long end) {
        List<Run> runs = new ArrayList<>();
        for (long page = first; page < end; page += 2) {
            runs.add(new Run(page, 1));
        }
        Collections.shuffle(runs, new Random(SEED));
        return new PageRuns("single pages", runs);
    }

    /** Runs of 1 to 64 pages with gaps as long, in random order. */
    static PageRuns mixed(long first, long end) {
        Random random = new Random(SEED);
        List<Run> runs = new ArrayList<>();
        long page = first;
        while (true) {
            int pages = 1 + random.nextInt(LONGEST_MIXED);
            if (page + pages > end) {
                break;
            }
            runs.add(new Run(page, pages));
            page += pages + 1 + random.nextInt(LONGEST_MIXED);
        }
        Collections.shuffle(runs, random);
        return new PageRuns("runs of 1 to 64 pages", runs);
    }

    long pages() {
        return runs.stream().mapToLong(Run::pages).sum();
    }

    /** Returns the same runs in ascending order. */
    List<Run> ascending() {
        return runs.stream().sorted(Comparator.comparingLong(Run::first)).toList();
    }
}
