package org.exomem.conform.trial;

import java.util.Locale;

/** The type of the back-end under test, as its user states it. */
public enum DeviceType {
    /** The balloon of VIRTIO, 5.5. */
    BALLOON,
    /** The memory device of VIRTIO, 5.15. */
    MEM,
    /** Any other, or unknown: only checks that do not depend on the type run. */
    ANY;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
