package org.exomem.reference;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One normative statement.
 *
 * @param id unique in the whole catalogue: such as {@code balloon.hint.7}, or that of a rule of a chapter of {@code
 * spec/}, such as {@code FPB-DESC-3}
 * @param aliases ids of rules in the chapters that say the same
 * @param see ids of rules in the chapters that say it together with other things, or a part of it; for a rule of a
 * chapter, the entries that name it
 * @param section number, if the source has numbers, and title
 * @param statement what is the case while the requirement is met, even for a MUST NOT; for a rule of a chapter, its
 * text
 * @param note a remark about the source, such as a mistake in it
 * @param unobservable why the other side can't observe whether it is met; empty if it can
 */
public record Requirement(
        String id,
        List<String> aliases,
        List<String> see,
        Strength strength,
        Party binds,
        String section,
        String statement,
        Optional<String> note,
        Optional<String> unobservable,
        Devices devices) {
    /** The form of an id in a file of the catalogue: words with dots between them, and a number. */
    static final Pattern ID = Pattern.compile("(?<group>[a-z][a-z0-9-]*(\\.[a-z][a-z0-9-]*)*)\\.[1-9][0-9]*");

    private static final Pattern SECTION_NUMBER = Pattern.compile("[0-9]+(\\.[0-9]+)*(?= )");

    /** @throws IllegalArgumentException if the id has another form */
    public Requirement {
        if (!ID.matcher(id).matches() && !Chapter.ID.matcher(id).matches()) {
            throw new IllegalArgumentException("\"" + id + "\" is not an id such as balloon.hint.7");
        }
        aliases = List.copyOf(aliases);
        see = List.copyOf(see);
    }

    /** The id without its number: the part that entries about the same topic share. */
    public String group() {
        return id.substring(0, Math.max(id.lastIndexOf('.'), id.lastIndexOf('-')));
    }

    /** Whether the other side can observe that the requirement is met. */
    public boolean observable() {
        return unobservable.isEmpty();
    }

    /** The number of its section; empty if the source has no numbers. */
    public Optional<String> sectionNumber() {
        Matcher number = SECTION_NUMBER.matcher(section);
        return number.lookingAt() ? Optional.of(number.group()) : Optional.empty();
    }

    /** Whether the requirement names a rule of a chapter of {@code spec/}, as an alias or a reference ("see"). */
    public boolean names(String rule) {
        return aliases.contains(rule) || see.contains(rule);
    }
}
