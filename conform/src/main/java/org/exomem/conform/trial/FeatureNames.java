package org.exomem.conform.trial;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.BalloonFeatures;

/** The names of feature bits, for messages. */
public final class FeatureNames {
    private FeatureNames() {}

    /** The names of virtio feature bits that all devices share, and the numbers of the others. */
    public static String features(long mask) {
        return names(mask, Features.class);
    }

    /** Like {@link #features(long)}, with the names of the device type's own bits. */
    public static String features(long mask, DeviceType device) {
        return device == DeviceType.BALLOON
                ? names(mask, Features.class, BalloonFeatures.class)
                : names(mask, Features.class);
    }

    /** The names of protocol feature bits. */
    public static String protocol(long mask) {
        return names(mask, Protocol.class);
    }

    private static String names(long mask, Class<?>... constants) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < Long.SIZE; bit++) {
            if ((mask & 1L << bit) != 0) {
                names.add(name(1L << bit, constants, "bit " + bit));
            }
        }
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    private static String name(long feature, Class<?>[] constants, String otherwise) {
        for (Class<?> each : constants) {
            for (Field field : each.getFields()) {
                try {
                    if (field.getType() == long.class && field.getLong(null) == feature) {
                        return field.getName();
                    }
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        return otherwise;
    }
}
