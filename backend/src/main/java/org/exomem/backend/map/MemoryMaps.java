package org.exomem.backend.map;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeSet;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.vm.MemoryParts;
import org.exomem.backend.vm.PageUse;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmmProcesses.Part;
import org.exomem.linux.LinuxException;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * Draws maps of VMs' memory on a thread of its own. The VM's loop only copies the bitmaps of its devices, of as many GiBs in
 * a step as it has time for. Safe for use by several threads.
 */
public final class MemoryMaps implements AutoCloseable {
    private static final int GIBS_AT_ONCE = 64;
    /** The most maps that wait for the thread. */
    private static final int WAITING = 64;

    private static final Duration IDLE = Duration.ofSeconds(10);
    /** The knowledge of host memory is dropped when it was not used for this time. */
    private static final Duration KEPT = Duration.ofSeconds(30);

    private final Migrations migrations;
    private final ThreadPoolExecutor thread;
    /** By VM name. Used by the thread only. */
    private final Map<String, ResidentMemory> resident = new HashMap<>();

    public MemoryMaps(Migrations migrations) {
        this.migrations = migrations;
        this.thread = new ThreadPoolExecutor(
                1,
                1,
                IDLE.toMillis(),
                TimeUnit.MILLISECONDS,
                new ArrayBlockingQueue<>(WAITING),
                task -> Thread.ofPlatform().daemon().name("memory-map").unstarted(task));
        thread.allowCoreThreadTimeOut(true);
    }

    /**
     * Draws a map. The future fails with {@link VirtualMachine.NotActive} while no memory is shared, with {@link
     * VirtualMachine.NotAnswering} if the VM is held up, and with {@link VirtualMachine.Refused} if the range is wrong or
     * too many maps are being drawn.
     *
     * @param from guest address of the first byte
     * @param length bytes; if empty, all of the guest's memory from {@code from} on
     * @param cells 1 to {@link MapRange#MOST_CELLS}
     */
    public CompletableFuture<MemoryMap> map(VirtualMachine vm, long from, OptionalLong length, int cells) {
        try {
            return vm.memoryParts()
                    .thenApplyAsync(memory -> begin(vm, memory, from, length, cells), thread)
                    .thenCompose(drawing -> drawing.next(0))
                    .exceptionallyCompose(failure -> CompletableFuture.failedFuture(refusal(failure)));
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(refusal(e));
        }
    }

    private static Throwable refusal(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof RejectedExecutionException
                ? new VirtualMachine.Refused("too many memory maps are in progress")
                : cause;
    }

    private Drawing begin(VirtualMachine vm, MemoryParts memory, long from, OptionalLong length, int cells) {
        try (memory) {
            forgetIdle();
            CompletableFuture.delayedExecutor(KEPT.toMillis() + 1000, TimeUnit.MILLISECONDS, thread)
                    .execute(this::forgetIdle);
            List<Part> parts = memory.parts();
            long end = parts.getLast().guestAddress() + parts.getLast().length();
            MapRange range = MapRange.of(from, length.orElse(Math.max(1, end - from)), cells);
            Drawing drawing = new Drawing(vm, range, parts);
            ResidentMemory known = resident.computeIfAbsent(vm.name(), name -> new ResidentMemory());
            known.look(memory, drawing.gibs);
            drawing.gibs.forEach(gib -> drawing.residence.put(gib, known.of(gib)));
            return drawing;
        } catch (IllegalArgumentException e) {
            throw new VirtualMachine.Refused(String.valueOf(e.getMessage()));
        } catch (LinuxException e) {
            throw new VirtualMachine.Refused(
                    "VM \"" + vm.name() + "\": its memory can't be examined: " + e.getMessage());
        }
    }

    /** Runs even if no other map is drawn. */
    private void forgetIdle() {
        resident.values().removeIf(known -> known.isIdle(KEPT));
    }

    /** Accepts no more maps. Does not wait. */
    @Override
    public void close() {
        thread.shutdownNow();
    }

    /** A map that is being drawn. */
    private final class Drawing {
        private final VirtualMachine vm;
        private final MapRange range;
        private final List<MemoryMap.Region> regions;
        private final CellCounts counts;
        private final List<Integer> gibs;
        private final Map<Integer, Residence> residence = new HashMap<>();

        Drawing(VirtualMachine vm, MapRange range, List<Part> parts) {
            this.vm = vm;
            this.range = range;
            this.regions = parts.stream()
                    .map(part -> new MemoryMap.Region(part.guestAddress(), part.length()))
                    .toList();
            this.counts = new CellCounts(range);
            this.gibs = gibsWithMemory();
            countNoMemory();
        }

        private List<Integer> gibsWithMemory() {
            TreeSet<Integer> found = new TreeSet<>();
            for (MemoryMap.Region region : regions) {
                long from = Math.max(range.first(), Pages.floor(region.address()));
                long end = Math.min(range.end(), Pages.ceil(region.end()));
                for (long page = from; page < end; page = (page | (PageSet.CHUNK_PAGES - 1)) + 1) {
                    found.add((int) (page / PageSet.CHUNK_PAGES));
                }
            }
            return List.copyOf(found);
        }

        /** Counts the range between GiBs that have any memory. */
        private void countNoMemory() {
            long counted = range.first();
            for (int gib : gibs) {
                long first = (long) gib * PageSet.CHUNK_PAGES;
                counts.add(PageKind.NONE, counted, Math.max(0, first - counted));
                counted = Math.max(counted, first + PageSet.CHUNK_PAGES);
            }
            counts.add(PageKind.NONE, counted, Math.max(0, range.end() - counted));
        }

        /** Continues with the GiB of that index. */
        CompletableFuture<MemoryMap> next(int index) {
            if (index >= gibs.size()) {
                return CompletableFuture.completedFuture(new MemoryMap(range, counts.counts(), regions));
            }
            List<Integer> some = gibs.subList(index, Math.min(gibs.size(), index + GIBS_AT_ONCE));
            return vm.pageUse(some).thenApplyAsync(this::count, thread).thenCompose(done -> next(index + done));
        }

        /** Returns the number of GiBs that were counted. */
        private int count(List<PageUse> uses) {
            for (PageUse use : uses) {
                Travelled travelled = migrations
                        .travelling(vm.name())
                        .map(of -> Travelled.of(of, use.gib()))
                        .orElse(Travelled.NONE);
                Residence known = residence.getOrDefault(use.gib(), Residence.UNKNOWN);
                counts.add(use, memory(use.gib()), known, travelled);
            }
            return uses.size();
        }

        private long[] memory(int gib) {
            long[] words = new long[PageSet.CHUNK_WORDS];
            long base = (long) gib * PageSet.CHUNK_PAGES;
            for (MemoryMap.Region region : regions) {
                long page = Math.max(0, Pages.floor(region.address()) - base);
                long end = Math.min(PageSet.CHUNK_PAGES, Pages.ceil(region.end()) - base);
                for (; page < end; page = BitWords.nextWord(page)) {
                    words[(int) BitWords.index(page)] |= BitWords.mask(page, end);
                }
            }
            return words;
        }
    }
}
