package org.exomem.migration.pagesource;

import java.io.IOException;
import java.util.List;
import java.util.function.Supplier;
import org.exomem.migration.Fate;
import org.exomem.migration.GuestPages;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageDescriptors;

/**
 * Pages that the guest's own descriptors mark as free. While the guest runs that is a guess; at a pause at which all guards hold it is
 * certain (FPB-DESC-2, FPB-DESC-5).
 */
public final class DescriptorSource implements FreePageSource {
    private final Supplier<List<PageDescriptors>> told;
    private final DescriptorReader reader;
    private boolean settled;
    private boolean due;

    /**
     * @param memory in which descriptors and guards are read; stays the caller's
     * @param map where guest addresses are in the image
     * @param told what the guest's driver has told and has not taken back; asked at each sync and each pause
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

    /** FPB-DESC-6: false also if nothing is told any more. */
    @Override
    public boolean settle() throws IOException {
        List<PageDescriptors> now = told.get();
        settled = !now.isEmpty();
        reader.begin();
        for (PageDescriptors descriptors : now) {
            settled &= allHold(descriptors);
        }
        return settled;
    }

    private boolean allHold(PageDescriptors descriptors) throws IOException {
        int needed = 0;
        for (PageDescriptors.Range range : descriptors.ranges()) {
            needed |= range.guards();
        }
        for (int i = 0; i < descriptors.guards().size(); i++) {
            if ((needed & 1 << i) != 0 && !reader.holds(descriptors.guards().get(i))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void synced() {
        due = true;
    }

    /** Looks once after each sync: each look reads all descriptors. */
    @Override
    public boolean collect(PageBits free, PageBits wanted) throws IOException {
        if (!due) {
            return false;
        }
        due = false;
        reader.begin();
        for (PageDescriptors descriptors : told.get()) {
            for (PageDescriptors.Range range : descriptors.ranges()) {
                reader.addFree(descriptors, range, free);
            }
        }
        return true;
    }
}
