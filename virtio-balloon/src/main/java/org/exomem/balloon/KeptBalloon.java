package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import org.exomem.pages.CorruptBitsException;
import org.exomem.pages.PageSet;
import org.exomem.pages.StoredNumber;

/**
 * The part of a balloon that outlives the process, in memory that may be a mapped file (spec/state.md). The numbers are
 * here, the pages in a set of their own. Every change is in that memory before the driver learns of it.
 *
 * <pre>
 *  0 num_pages    stored number   the size that is asked for, in pages of 4096 bytes
 *  8 actual       stored number   config space, as the driver wrote it
 * 16 poison_val   stored number   likewise
 * 24 command_id   stored number   the last session of free page hinting; not set before the first
 * 32 position     stored number   of the inflate queue, as SET_VRING_BASE has it; not set while the pages belong to no driver
 * 40 reserved     24 bytes
 * </pre>
 */
public final class KeptBalloon {
    /** The size of the numbers in bytes. */
    public static final long BYTES = 64;

    private static final long NUM_PAGES = 0;
    private static final long ACTUAL = 8;
    private static final long POISON_VAL = 16;
    private static final long COMMAND_ID = 24;
    private static final long POSITION = 32;

    final StoredNumber numPages;
    final StoredNumber actual;
    final StoredNumber poisonVal;
    final StoredNumber commandId;
    final StoredNumber position;
    final PageSet pages;

    private KeptBalloon(
            StoredNumber numPages,
            StoredNumber actual,
            StoredNumber poisonVal,
            StoredNumber commandId,
            StoredNumber position,
            PageSet pages) {
        this.numPages = numPages;
        this.actual = actual;
        this.poisonVal = poisonVal;
        this.commandId = commandId;
        this.position = position;
        this.pages = pages;
    }

    /** Keeps nothing beyond this process. */
    public static KeptBalloon ofHeap() {
        return new KeptBalloon(
                StoredNumber.ofHeap(),
                StoredNumber.ofHeap(),
                StoredNumber.ofHeap(),
                StoredNumber.ofHeap(),
                StoredNumber.ofHeap(),
                new PageSet());
    }

    /** Initializes memory of zeros, {@link #BYTES} bytes, for a new balloon. */
    public static void format(MemorySegment memory) {
        for (long place = 0; place <= POSITION; place += StoredNumber.BYTES) {
            StoredNumber.format(memory, place);
        }
    }

    /**
     * Opens what was kept.
     *
     * @param memory of {@link #BYTES} bytes, aligned to 8
     * @param pages the pages in the balloon
     * @param whole false if the balloon may contain pages that are not in the set; the pages of the set then belong to no
     *     driver, and are forgotten
     * @throws CorruptBitsException if the numbers are not as a process left them
     */
    public static KeptBalloon open(MemorySegment memory, PageSet pages, boolean whole) throws CorruptBitsException {
        KeptBalloon kept = new KeptBalloon(
                StoredNumber.open(memory, NUM_PAGES, "num_pages"),
                StoredNumber.open(memory, ACTUAL, "actual"),
                StoredNumber.open(memory, POISON_VAL, "poison_val"),
                StoredNumber.open(memory, COMMAND_ID, "the command id of free page hinting"),
                StoredNumber.open(memory, POSITION, "the position of the inflate queue"),
                pages);
        if (!whole) {
            kept.position.forget();
        }
        return kept;
    }

    /** True if a size that the operator asked for was kept. */
    public boolean hasNumPages() {
        return numPages.isSet();
    }

    /** True if a driver was served, which may continue. */
    boolean hasDriver() {
        return position.isSet();
    }
}
