package org.exomem.backend.vm;

import java.util.Collection;
import java.util.List;
import org.exomem.cli.text.Similar;

/** Lists the existing names in a message about an unknown name: all of them if they are few, otherwise similar ones. */
public final class NearNames {
    /** The most names in a list. */
    private static final int FEW = 10;

    private NearNames() {}

    /**
     * Returns the end of a message about an unknown name: the existing names, or those of them that are similar.
     *
     * @param name the unknown name
     * @param known all existing names
     * @param what the kind of the names, in the plural: {@code VMs}
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
                : "there are " + known.size() + " " + what + "; similar names: " + String.join(", ", near);
    }

    /** Returns the whole message about an unknown name of a VM. */
    public static String unknown(String name, Collection<String> known) {
        return "there is no VM \"" + name + "\"; " + instead(name, known, "VMs");
    }

    /** Returns the names, if they are few. Otherwise returns the first of them and their number. */
    public static String of(Collection<String> known, String what) {
        return known.size() <= FEW
                ? String.join(", ", known)
                : known.size() + " " + what + ", among them " + first(known);
    }

    private static String first(Collection<String> known) {
        return String.join(", ", known.stream().limit(FEW).toList());
    }
}
