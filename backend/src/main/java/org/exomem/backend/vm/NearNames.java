package org.exomem.backend.vm;

import java.util.Collection;
import java.util.List;
import org.exomem.cli.text.Similar;

/** Says which names there are, to somebody who used one that is not there: all if they are few, else similar ones. */
public final class NearNames {
    /** As many names are listed at most. */
    private static final int FEW = 10;

    private NearNames() {}

    /**
     * The end of a message about a name that is not known: which names there are, or which of them are similar.
     *
     * @param name the one that is not known
     * @param known all that are
     * @param what these are, in the plural: {@code VMs}
     */
    public static String instead(String name, Collection<String> known, String what) {
        if (known.isEmpty()) {
            return "there are no " + what;
        }
        if (known.size() <= FEW) {
            return "there are " + String.join(", ", known);
        }
        List<String> near = Similar.to(name, known).stream().limit(FEW).toList();
        return near.isEmpty()
                ? "there are " + known.size() + " " + what + ", among them " + first(known)
                : "of the " + known.size() + " " + what + " these are similar: " + String.join(", ", near);
    }

    /** The whole message about the name of a VM that is not known. */
    public static String unknown(String name, Collection<String> known) {
        return "there is no VM \"" + name + "\"; " + instead(name, known, "VMs");
    }

    /** The names, if they are few; else the first of them and how many there are. */
    public static String of(Collection<String> known, String what) {
        return known.size() <= FEW
                ? String.join(", ", known)
                : known.size() + " " + what + ", among them " + first(known);
    }

    private static String first(Collection<String> known) {
        return String.join(", ", known.stream().limit(FEW).toList());
    }
}
