package org.exomem.migration.pagesource;

import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.exomem.migration.Fate;
import org.exomem.migration.GuestPages;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageDescriptors.Guard;

/**
 * Pages that the guest's own descriptors mark as free. While the guest runs, this is a guess. At a pause at which all guards
 * hold, it is certain (FPB-DESC-2, FPB-DESC-5). For the engine's thread.
 */
public final class DescriptorSource implements FreePageSource {
    private final Supplier<List<PageDescriptors>> told;
    private final DescriptorReader reader;
    /** Guards that did not hold at the last pause. */
    private final Set<Guard> failed = new HashSet<>();
    /** Guards whose ranges are no longer used. */
    private final Set<Guard> givenUp = new HashSet<>();

    private boolean settled;
    private boolean due;

    /**
     * @param memory that has the descriptors and guards; remains the caller's
     * @param map the guest addresses of the image
     * @param told returns what the guest's driver has reported and not withdrawn; called at each sync and each pause
     */
    public DescriptorSource(GuestPages memory, AddressMap map, Supplier<List<PageDescriptors>> told) {
        this.told = told;
        this.reader = new DescriptorReader(memory, map);
    }

    @Override
    public Fate fate() {
        return Fate.SETTLED;
    }

    @Override
    public boolean isGuess() {
        return !settled;
    }

    /** FPB-DESC-6 */
    @Override
    public Settling settle() throws IOException {
        List<PageDescriptors> now = told.get();
        reader.begin();
        failed.clear();
        for (PageDescriptors descriptors : now) {
            findFailed(descriptors);
        }
        settled = !now.isEmpty() && failed.isEmpty();
        if (now.isEmpty()) {
            return Settling.NEVER;
        }
        return settled ? Settling.CERTAIN : Settling.NOT_NOW;
    }

    private void findFailed(PageDescriptors descriptors) throws IOException {
        int needed = 0;
        for (PageDescriptors.Range range : descriptors.ranges()) {
            needed |= counts(descriptors, range) ? range.guards() : 0;
        }
        for (int i = 0; i < descriptors.guards().size(); i++) {
            Guard guard = descriptors.guards().get(i);
            if ((needed & 1 << i) != 0 && !reader.holds(guard)) {
                failed.add(guard);
            }
        }
    }

    /** False if the range is no longer used. */
    private boolean counts(PageDescriptors descriptors, PageDescriptors.Range range) {
        for (int i = 0; !givenUp.isEmpty() && i < descriptors.guards().size(); i++) {
            if ((range.guards() & 1 << i) != 0
                    && givenUp.contains(descriptors.guards().get(i))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void guessLess() {
        givenUp.addAll(failed);
    }

    @Override
    public void synced() {
        due = true;
    }

    /** Reads once after each sync, because all descriptors are read each time. */
    @Override
    public boolean collect(PageBits free, PageBits wanted) throws IOException {
        if (!due) {
            return false;
        }
        due = false;
        reader.begin();
        for (PageDescriptors descriptors : told.get()) {
            for (PageDescriptors.Range range : descriptors.ranges()) {
                if (counts(descriptors, range)) {
                    reader.addFree(descriptors, range, free);
                }
            }
        }
        return true;
    }
}
