package org.exomem.migration.pager;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.migration.Chance;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * A tiny guest whose memory arrives while it runs, on one thread and under one seed. At each call of the kernel, the
 * guest and the other thread of the pager continue, and the pager may be killed. At the end the memory is compared with
 * the right content.
 */
final class PagerSimulation {
    /** Deliberate violations of rules. */
    enum Mutant {
        NONE,
        /** A present page is overwritten (PGR-PLACE-1). */
        OVERWRITES,
        /** A page that can't be read becomes zeros (PGR-SOURCE-1). */
        ZEROS_FOR_WANT,
        /** A page that has arrived and was returned to the host gets the source's content again (PGR-ZERO-1). */
        NO_ZEROS,
        /** Holes are owed (PGR-OWED-1). */
        HOLES_OWED,
        /** A successor does not check which pages have arrived, and treats all as arrived (PGR-OWED-2). */
        FILE_NOT_ASKED,
        /** A successor does not repeat pending touches (PGR-AGAIN-1). */
        NOT_AGAIN_AT_START,
        /** A touch that could not be answered is not repeated (PGR-STALL-1). */
        NOT_AGAIN_AFTER_FAILURE,
        /** A touch that can't be answered blocks the touches that were taken with it (PGR-STALL-1). */
        OTHERS_NOT_SERVED,
        /** A thread is not woken when its page has arrived in another way. */
        NOT_WOKEN,
        /** The background continues while a thread waits (PGR-ORDER-2). */
        DOES_NOT_STAND_BACK
    }

    private static final long PAGE = 4096;
    private static final long FIRST_ADDRESS = 0x7f00_0000_0000L;
    private static final long SECOND_ADDRESS = 0x7f80_0000_0000L;
    private static final long CONTENT = 0x1_0000_0000L;
    private static final int ABSENT = -1;
    private static final int STEPS = 120;
    private static final int MOST_STEPS_TO_THE_END = 3000;

    /** The pager was killed: all its code stops. */
    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1;

        Killed() {
            super(null, null, false, false);
        }
    }

    /** A virtual processor. */
    private static final class Cpu {
        /** The address that it waits for; 0 if it does not wait. */
        private long address;

        private boolean writes;
    }

    private final Chance chance;
    private final Mutant mutant;
    private final int pages;
    private final int[] source;
    private final int[] file;
    /** The content that the guest must find. A page that the guest returned may have zeros or the source's content. */
    private final int[] expected;

    private final boolean[] givenBack;
    /** The pager that knew that the page had arrived. */
    private final @Nullable Run[] givenBackTo;

    private final boolean[] touched;
    private final Cpu[] cpus;
    private final Deque<Long> queue = new ArrayDeque<>();
    private final MappedPages mapped;
    private final boolean twice;
    private int nextValue = 1000;
    private boolean sourceFails;
    private boolean hostIsFull;
    private boolean ending;
    private boolean inServer;
    private boolean inBackground;
    private boolean failedLately;
    private int kills;
    private @Nullable Run run;
    private long faults;
    private long prefetched;

    /** One life of a pager. */
    private final class Run implements AddressSpace, PageSource {
        private final OwedPages owed;
        private final FaultServer server;
        private final Prefetcher prefetcher;
        private long[] taken = new long[0];
        private boolean failedInBatch;

        Run(boolean successor) throws IOException {
            PageBits missing = new PageBits(pages);
            for (int page = 0; page < pages; page++) {
                boolean arrived = file[page] != ABSENT || mutant == Mutant.FILE_NOT_ASKED && successor;
                if ((source[page] != 0 || mutant == Mutant.HOLES_OWED) && !arrived) {
                    missing.add(page);
                }
            }
            owed = new OwedPages(missing);
            Touches touches = new Touches();
            server = new FaultServer(this, mapped, owed, this, touches);
            prefetcher = new Prefetcher(
                    server,
                    new PrefetchOrder(owed, touches, workingSet()),
                    this,
                    new PagePlacer(giver(), mapped, owed));
            if (mutant != Mutant.NOT_AGAIN_AT_START) {
                server.again();
            }
        }

        private Optional<PageBits> workingSet() {
            if (chance.oneIn(2)) {
                return Optional.empty();
            }
            PageBits set = new PageBits(pages);
            for (int page = 0; page < pages; page++) {
                if (chance.oneIn(3)) {
                    set.add(page);
                }
            }
            return Optional.of(set);
        }

        @Override
        public int take() {
            failedInBatch = false;
            taken = new long[Math.min(queue.size(), 1 + chance.below(3))];
            for (int i = 0; i < taken.length; i++) {
                taken[i] = queue.remove();
            }
            return taken.length;
        }

        @Override
        public long address(int index) {
            goOn();
            return failedInBatch && mutant == Mutant.OTHERS_NOT_SERVED ? 0 : taken[index];
        }

        @Override
        public void demand(long page, PagePlacer into) throws IOException {
            faults++;
            bring(page, 1, into);
        }

        @Override
        public void prefetch(long first, long count, PagePlacer into) throws IOException {
            if (inServer) {
                throw new AssertionError("pages are brought while somebody waits whose touch was taken");
            }
            bring(first, count, into);
        }

        private void bring(long first, long count, PagePlacer into) throws IOException {
            if (sourceFails && mutant == Mutant.ZEROS_FOR_WANT) {
                into.zeros(first);
                return;
            }
            if (sourceFails) {
                failedInBatch = true;
                throw new IOException("the source does not answer");
            }
            into.copy(first, count, CONTENT + first * PAGE);
        }

        @Override
        public Giver giver() {
            return new Giver() {
                @Override
                public long copy(long address, long length, long content) {
                    goOn();
                    return place(address, length, (int) ((content - CONTENT) / PAGE));
                }

                @Override
                public long zeros(long address, long length) {
                    goOn();
                    return place(address, length, mutant == Mutant.NO_ZEROS ? pageAt(address) : ABSENT);
                }

                @Override
                public long wake(long address, long length) {
                    goOn();
                    if (mutant != Mutant.NOT_WOKEN || length > PAGE) {
                        wakeUp(address, length);
                    }
                    return 0;
                }
            };
        }
    }

    PagerSimulation(long seed, Mutant mutant) {
        this.chance = new Chance(seed);
        this.mutant = mutant;
        this.pages = 1 + chance.below(40);
        this.source = new int[pages];
        this.file = new int[pages];
        this.expected = new int[pages];
        this.givenBack = new boolean[pages];
        this.givenBackTo = new Run[pages];
        this.touched = new boolean[pages];
        this.cpus = new Cpu[1 + chance.below(4)];
        Arrays.setAll(cpus, i -> new Cpu());
        Arrays.fill(file, ABSENT);
        for (int page = 0; page < pages; page++) {
            source[page] = chance.oneIn(3) ? 0 : 1 + page;
            expected[page] = source[page];
        }
        this.twice = chance.oneIn(3);
        List<MappedPages.Range> ranges = new ArrayList<>();
        int split = chance.below(pages);
        if (split > 0) {
            ranges.add(new MappedPages.Range(FIRST_ADDRESS, 0, split));
        }
        // A gap in addresses, as between RAM below and above 4 GiB.
        ranges.add(new MappedPages.Range(FIRST_ADDRESS + (split + 3) * PAGE, split, pages - split));
        if (twice) {
            ranges.add(new MappedPages.Range(SECOND_ADDRESS, 0, pages));
        }
        this.mapped = new MappedPages(ranges);
    }

    long faults() {
        return faults;
    }

    long prefetched() {
        return prefetched;
    }

    int kills() {
        return kills;
    }

    /** @throws AssertionError if the guest finds wrong content, or waits for ever */
    void run() throws IOException {
        for (int step = 0; step < STEPS; step++) {
            step();
        }
        ending = true;
        sourceFails = false;
        hostIsFull = false;
        for (int step = 0; !isOver(); step++) {
            if (step == MOST_STEPS_TO_THE_END) {
                throw new AssertionError("somebody waits for ever, or pages never arrive");
            }
            step();
        }
        for (int page = 0; page < pages; page++) {
            if (file[page] == ABSENT) {
                if (source[page] != 0 && !givenBack[page]) {
                    throw new AssertionError("page " + page + " has not arrived");
                }
            } else {
                check(page);
                if (source[page] == 0 && !touched[page]) {
                    throw new AssertionError("page " + page + " takes memory, and nobody touched it");
                }
            }
        }
        prefetched += run == null ? 0 : run.prefetcher.prefetched();
    }

    private boolean isOver() {
        return run != null && run.owed.left() == 0 && Arrays.stream(cpus).allMatch(cpu -> cpu.address == 0);
    }

    private void step() throws IOException {
        try {
            if (run == null) {
                guest();
                if (chance.oneIn(4) || ending) {
                    run = new Run(kills > 0);
                }
                return;
            }
            switch (chance.below(8)) {
                case 0, 1 -> guest();
                case 2, 3, 4 -> serve();
                case 5 -> background();
                case 6 -> again();
                default -> trouble();
            }
        } catch (Killed e) {
            inServer = false;
            inBackground = false;
            kills++;
            prefetched += run == null ? 0 : run.prefetcher.prefetched();
            run = null;
        }
    }

    private void trouble() {
        if (!ending) {
            sourceFails = chance.oneIn(3);
            hostIsFull = chance.oneIn(4);
        }
    }

    private void serve() throws IOException {
        Run now = run;
        if (now == null || inServer) {
            return;
        }
        inServer = true;
        try {
            now.server.serve();
        } catch (LinuxException e) {
            failedLately = true;
        } catch (IOException e) {
            failedLately = true;
            expectOthersServed(now);
        }
        inServer = false;
    }

    /** Among touches that were taken together, those of pages that are not owed must be answered. */
    private void expectOthersServed(Run now) {
        if (hostIsFull || mutant == Mutant.NOT_WOKEN) {
            return;
        }
        for (long address : now.taken) {
            boolean waits = Arrays.stream(cpus).anyMatch(cpu -> cpu.address == address) && !queue.contains(address);
            if (waits && !now.owed.contains(pageAt(address))) {
                throw new AssertionError("whoever could have been served waits");
            }
        }
    }

    private void background() throws IOException {
        Run now = run;
        if (now == null || inBackground || inServer && mutant != Mutant.DOES_NOT_STAND_BACK) {
            if (now != null && inServer && !inBackground && now.server.isServing()) {
                inBackground = true;
                if (now.prefetcher.step(true) != Prefetcher.Step.STOOD_BACK) {
                    throw new AssertionError("the background does not stand back");
                }
                inBackground = false;
            }
            return;
        }
        inBackground = true;
        try {
            if (mutant == Mutant.DOES_NOT_STAND_BACK && inServer) {
                now.prefetch(0, 1, new PagePlacer(now.giver(), mapped, now.owed));
            } else {
                now.prefetcher.step(chance.oneIn(2));
            }
        } catch (IOException e) {
            // It is tried again.
        }
        inBackground = false;
    }

    private void again() {
        if (failedLately && mutant != Mutant.NOT_AGAIN_AFTER_FAILURE && run != null) {
            failedLately = false;
            run.server.again();
        }
    }

    /** Lets the others continue, in the middle of a call of the pager. */
    private void goOn() {
        if (!ending && chance.oneIn(60)) {
            throw new Killed();
        }
        if (chance.oneIn(3)) {
            guest();
        }
        try {
            if (chance.oneIn(6)) {
                background();
            }
            if (inBackground && chance.oneIn(4)) {
                serve();
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void guest() {
        Cpu cpu = cpus[chance.below(cpus.length)];
        if (cpu.address != 0 || ending) {
            return;
        }
        int page = chance.below(pages);
        if (chance.oneIn(8) && file[page] != ABSENT && !inBackground && waiting(page) == 0) {
            // The VMM returns the page to the host.
            file[page] = ABSENT;
            givenBack[page] = true;
            givenBackTo[page] = run;
            return;
        }
        cpu.writes = chance.oneIn(2);
        touch(cpu, addressOf(page));
    }

    private long waiting(int page) {
        return Arrays.stream(cpus)
                .filter(cpu -> cpu.address != 0 && pageAt(cpu.address) == page)
                .count();
    }

    private long addressOf(int page) {
        if (twice && chance.oneIn(2)) {
            return SECOND_ADDRESS + page * PAGE;
        }
        return mapped.address(mapped.rangeOf(page), page);
    }

    private int pageAt(long address) {
        return (int) mapped.pageAt(address);
    }

    private void touch(Cpu cpu, long address) {
        int page = pageAt(address);
        touched[page] = true;
        if (file[page] == ABSENT) {
            cpu.address = address;
            queue.add(address);
            return;
        }
        cpu.address = 0;
        check(page);
        givenBack[page] = false;
        if (cpu.writes) {
            file[page] = nextValue++;
        }
        expected[page] = file[page];
    }

    private void check(int page) {
        boolean right = givenBack[page] ? file[page] == 0 || file[page] == source[page] : file[page] == expected[page];
        if (!right) {
            throw new AssertionError("page " + page + " holds " + file[page] + " instead of " + expected[page]);
        }
    }

    /** @param from the page of the source, or ABSENT for zeros */
    private long place(long address, long length, int from) {
        if (chance.oneIn(20) && !ending) {
            return -Errno.EAGAIN;
        }
        long done = 0;
        while (done < length) {
            int page = pageAt(address + done);
            long error =
                    file[page] != ABSENT && mutant != Mutant.OVERWRITES ? Errno.EEXIST : hostIsFull ? Errno.ENOMEM : 0;
            if (error != 0) {
                if (done == 0) {
                    return -error;
                }
                break;
            }
            file[page] = from == ABSENT ? 0 : source[from + (int) (done / PAGE)];
            if (givenBack[page] && run == givenBackTo[page] && file[page] != 0) {
                throw new AssertionError("page " + page + " was given back, and holds what it held before it came");
            }
            done += PAGE;
            if (chance.oneIn(30)) {
                break;
            }
        }
        wakeUp(address, done);
        return done;
    }

    /** Threads that wait in the range touch again. If an event was not taken, it is dropped, as in the kernel. */
    private void wakeUp(long address, long length) {
        for (Cpu cpu : cpus) {
            if (cpu.address != 0 && cpu.address >= address && cpu.address < address + length) {
                queue.removeFirstOccurrence(cpu.address);
                touch(cpu, cpu.address);
            }
        }
    }
}
