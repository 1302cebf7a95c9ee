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

/**
 * The two kinds of userfaultfd that are open in a VMM while its memory comes on demand, by their maker. The features
 * distinguish them (PGR-AGAIN-2).
 */
enum PagerDescriptor {
    /** exomem attached to the VMM to make it, and attaches again to close it. */
    MADE(VmmMemory.FEATURES) {
        @Override
        void close(ProcessFd process, int number) throws IOException {
            ForeignUserfaultfd.close(process, number);
        }
    },
    /**
     * The VMM made it on request, and closes it when the next one is requested (VMM-19). Until then it watches nothing. The
     * additional feature makes no difference to a pager.
     */
    HANDED_OVER(EnumSet.of(Feature.MISSING_SHARED, Feature.EXACT_ADDRESS)) {
        @Override
        void close(ProcessFd process, int number) {
            // The VMM owns it.
        }
    };

    private final Set<Userfaultfd.Feature> features;

    PagerDescriptor(Set<Userfaultfd.Feature> features) {
        this.features = features;
    }

    /**
     * A userfaultfd that is open in a VMM.
     *
     * @param left the descriptor, here and there
     */
    record Found(PagerDescriptor kind, Left left) {}

    Set<Userfaultfd.Feature> features() {
        return features;
    }

    /** Closes it in the VMM, if exomem made it. */
    abstract void close(ProcessFd process, int number) throws IOException;

    /** Returns all userfaultfds of a pager that are open in a VMM, in no order. */
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
