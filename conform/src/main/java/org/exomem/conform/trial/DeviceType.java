package org.exomem.conform.trial;

import java.util.Locale;

/** What the back-end under test is, as far as its user says. */
public enum DeviceType {
    /** The balloon of VIRTIO, 5.5. */
    BALLOON,
    /** The memory device of VIRTIO, 5.15. */
    MEM,
    /** Any other, or unknown: what does not depend on the device is tried. */
    ANY;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
