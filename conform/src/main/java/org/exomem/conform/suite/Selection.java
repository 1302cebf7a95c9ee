package org.exomem.conform.suite;

import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.Subject;

/** Chooses checks by what a user names. */
public final class Selection {
    private Selection() {}

    /** True if a check, or what is watched, is about the requirement of that id, or one of that group, such as {@code ring.split}. */
    public static boolean isAbout(Subject check, String idOrGroup) {
        return check.requirements().stream()
                .anyMatch(id -> id.equalsIgnoreCase(idOrGroup)
                        || id.regionMatches(true, 0, idOrGroup + ".", 0, idOrGroup.length() + 1));
    }

    /** All checks about any of these; all checks there are if none is named. */
    public static List<Check> of(List<String> idsOrGroups) {
        return Suite.all().stream()
                .filter(check ->
                        idsOrGroups.isEmpty() || idsOrGroups.stream().anyMatch(wanted -> isAbout(check, wanted)))
                .toList();
    }
}
