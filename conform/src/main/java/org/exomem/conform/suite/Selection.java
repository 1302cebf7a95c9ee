package org.exomem.conform.suite;

import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import org.exomem.cli.text.Similar;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.Subject;

/** Selects checks by the names that a user gives. */
public final class Selection {
    private Selection() {}

    /**
     * True if a check or an observation is about the requirement with that id, or about one in that group, such as
     * {@code ring.split}.
     */
    public static boolean isAbout(Subject check, String idOrGroup) {
        return check.requirements().stream()
                .anyMatch(id -> id.equalsIgnoreCase(idOrGroup)
                        || id.regionMatches(true, 0, idOrGroup + ".", 0, idOrGroup.length() + 1));
    }

    /**
     * Explains to a user why no subject is about the requirement or group with that name; empty if one is.
     *
     * @param reasons why requirements have no check, by their ids
     */
    public static Optional<String> absence(
            String idOrGroup, Collection<? extends Subject> all, Map<String, String> reasons) {
        if (all.stream().anyMatch(each -> isAbout(each, idOrGroup))) {
            return Optional.empty();
        }
        String reason = reasons.get(idOrGroup.toLowerCase(Locale.ROOT));
        if (reason != null) {
            return Optional.of("no check tests that: " + reason);
        }
        SortedSet<String> names = names(all);
        names.addAll(reasons.keySet());
        return Optional.of(Similar.to(idOrGroup, names).stream()
                .findFirst()
                .map(name -> "no check tests that; did you mean " + name + "?")
                .orElse("no check tests that; --list shows all"));
    }

    /** All valid names: requirements, and their groups. */
    private static SortedSet<String> names(Collection<? extends Subject> all) {
        SortedSet<String> names = new TreeSet<>();
        for (Subject each : all) {
            for (String id : each.requirements()) {
                for (int end = id.length(); end > 0; end = id.lastIndexOf('.', end - 1)) {
                    names.add(id.substring(0, end));
                }
            }
        }
        return names;
    }

    /** All checks about any of these names; all checks if there are no names. */
    public static List<Check> of(List<String> idsOrGroups) {
        return Suite.all().stream()
                .filter(check ->
                        idsOrGroups.isEmpty() || idsOrGroups.stream().anyMatch(wanted -> isAbout(check, wanted)))
                .toList();
    }
}
