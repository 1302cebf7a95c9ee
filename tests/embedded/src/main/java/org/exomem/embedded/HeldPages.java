package org.exomem.embedded;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The pages that one thread of the guest's program uses, and the generation of the last write of each. A page's number,
 * its generation and the guest's seed determine its content. For one thread at a time.
 */
final class HeldPages {
    /** The number of earlier generations with which a wrong page is compared. */
    private static final int GENERATIONS_BACK = 1 << 20;

    private final EmbeddedRam ram;
    private final int step;
    private long seed;
    private int[] pages = new int[64];
    private int[] generations = new int[64];
    private int count;
    private int nextGeneration;
    private int cursor;

    /**
     * @param first the first generation; sets that exchange pages must not share generations
     * @param step from one generation to the next
     */
    HeldPages(EmbeddedRam ram, long seed, int first, int step) {
        this.ram = ram;
        this.seed = seed;
        this.nextGeneration = first;
        this.step = step;
    }

    int count() {
        return count;
    }

    /** The number of a held page. */
    int page(int index) {
        return pages[index];
    }

    /** Adds pages, and writes them. */
    void add(PageAllocator.Run run) {
        ram.prepare(run);
        for (int i = 0; i < run.count(); i++) {
            add(run.first() + i);
        }
    }

    /** Adds a page, and writes it. */
    void add(int page) {
        if (count == pages.length) {
            pages = Arrays.copyOf(pages, count * 2);
            generations = Arrays.copyOf(generations, count * 2);
        }
        pages[count] = page;
        count++;
        rewrite(count - 1);
    }

    /** Rewrites a held page completely. */
    void rewrite(int index) {
        int page = pages[index];
        int generation = nextGeneration;
        nextGeneration += step;
        ram.write(page, content(page, generation));
        generations[index] = generation;
    }

    /** Releases a page without changing its content, and returns its number. */
    int remove(int index) {
        int page = pages[index];
        count--;
        pages[index] = pages[count];
        generations[index] = generations[count];
        return page;
    }

    /** Verifies the next page; the first follows the last. */
    void checkNext() throws WrongContentException {
        if (count > 0) {
            cursor = cursor + 1 < count ? cursor + 1 : 0;
            check(cursor);
        }
    }

    /** @throws WrongContentException with what is known about the wrong content */
    void check(int index) throws WrongContentException {
        int page = pages[index];
        long expected = content(page, generations[index]);
        int wrong = ram.wrongWords(page, expected);
        if (wrong != 0) {
            throw new WrongContentException("page " + page + " (guest address 0x"
                    + Long.toHexString(ram.address(page)) + ") is not what the guest wrote: " + wrong
                    + " of its 512 words differ; its first word is " + found(index));
        }
    }

    private String found(int index) {
        int page = pages[index];
        long word = ram.firstWord(page);
        if (word == 0) {
            return "zero";
        }
        for (int back = 0; back < GENERATIONS_BACK; back++) {
            int generation = nextGeneration - back * step;
            if (word == content(page, generation)) {
                return generation == generations[index]
                        ? "right"
                        : "of generation " + generation + ", not " + generations[index];
            }
        }
        return "0x" + Long.toHexString(word) + ", which was not written recently";
    }

    private long content(int page, int generation) {
        long mixed = seed ^ ((long) page << 32) ^ (generation & 0xffffffffL);
        mixed = (mixed ^ mixed >>> 30) * 0xbf58476d1ce4e5b9L;
        mixed = (mixed ^ mixed >>> 27) * 0x94d049bb133111ebL;
        return mixed ^ mixed >>> 31;
    }

    void save(DataOutput out) throws IOException {
        out.writeLong(seed);
        out.writeInt(nextGeneration);
        out.writeInt(count);
        save(out, pages);
        save(out, generations);
    }

    private void save(DataOutput out, int[] values) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4 * count);
        bytes.asIntBuffer().put(values, 0, count);
        out.write(bytes.array());
    }

    /** @throws IOException if the saved state is not of this memory */
    void load(DataInput in) throws IOException {
        seed = in.readLong();
        nextGeneration = in.readInt();
        count = in.readInt();
        if (count < 0 || count > ram.pages()) {
            throw new IOException("the state has " + count + " pages, but the memory has " + ram.pages());
        }
        pages = load(in, count);
        generations = load(in, count);
        cursor = 0;
        for (int i = 0; i < count; i++) {
            if (pages[i] < EmbeddedRam.firstPage() || pages[i] >= ram.pages()) {
                throw new IOException("the state has a page " + pages[i] + ", which the memory does not have");
            }
        }
    }

    private static int[] load(DataInput in, int count) throws IOException {
        byte[] bytes = new byte[4 * count];
        in.readFully(bytes);
        int[] values = new int[Math.max(64, count)];
        ByteBuffer.wrap(bytes).asIntBuffer().get(values, 0, count);
        return values;
    }
}
