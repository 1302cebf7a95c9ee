package org.exomem.conform.check;

import java.util.List;
import org.exomem.conform.trial.DeviceType;

/** What a verdict is about: something that is tried with a back-end, or watched at a front-end. Its text is id, colon and name. */
public interface Subject {
    /** Ids of the catalogue; a failure is told of the first. */
    List<String> requirements();

    /** A sentence that says what is so if the requirements are kept; unique. */
    String name();

    /** The type of device that it is for; {@link DeviceType#ANY} for all. */
    DeviceType device();

    /** The requirement that a failure is told of. */
    default String requirement() {
        return requirements().getFirst();
    }
}
