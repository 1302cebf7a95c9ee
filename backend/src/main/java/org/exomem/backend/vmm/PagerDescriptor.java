package org.exomem.backend.vmm;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.Userfaultfd.Feature;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ForeignUserfaultfd.Left;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.pager.VmmMemory;

/** Who made the userfaultfd that is open in a VMM while its memory comes on demand, and so how it goes. Known by its features (PGR-AGAIN-2). */
enum PagerDescriptor {
    /** exomem attached to the VMM and had it make it, and has it close it in the same way. */
    MADE(VmmMemory.FEATURES) {
        @Override
        void close(ProcessFd process, int number) throws IOException {
            ForeignUserfaultfd.close(process, number);
        }
    },
    /**
     * The VMM made it when it was asked, and closes it when it is asked for the next one (VMM-19): until then it watches nothing. The
     * feature more makes no difference to a pager.
     */
    HANDED_OVER(EnumSet.of(Feature.MISSING_SHARED, Feature.EXACT_ADDRESS)) {
        @Override
        void close(ProcessFd process, int number) {
            // It is the VMM's.
        }
    };

    private final Set<Userfaultfd.Feature> features;

    PagerDescriptor(Set<Userfaultfd.Feature> features) {
        this.features = features;
    }

    /**
     * One that is open in a VMM.
     *
     * @param left which
     */
    record Found(PagerDescriptor kind, Left left) {}

    Set<Userfaultfd.Feature> features() {
        return features;
    }

    /** Has it be closed in the VMM, if that is exomem's affair. */
    abstract void close(ProcessFd process, int number) throws IOException;

    /** All that are open in a VMM, in no order. */
    static List<Found> all(ProcessFd process) throws IOException {
        List<Found> found = new ArrayList<>();
        try {
            for (PagerDescriptor kind : values()) {
                ForeignUserfaultfd.left(process, kind.features).forEach(left -> found.add(new Found(kind, left)));
            }
            return found;
        } catch (IOException e) {
            found.forEach(each -> each.left.fd().close());
            throw e;
        }
    }
}
