package org.exomem.conform.check;

import java.util.List;
import org.exomem.conform.trial.DeviceType;

/**
 * What a verdict is about: an experiment with a back-end, or a rule that is observed at a front-end. Its text is the
 * requirement's id, a colon and the name.
 */
public interface Subject {
    /** Ids of the catalogue; a failure is reported for the first. */
    List<String> requirements();

    /** A sentence that states the behaviour that the requirements demand; unique. */
    String name();

    /** The device type that the subject is for; {@link DeviceType#ANY} for all types. */
    DeviceType device();

    /** The requirement for which a failure is reported. */
    default String requirement() {
        return requirements().getFirst();
    }
}
