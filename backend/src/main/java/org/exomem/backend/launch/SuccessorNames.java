package org.exomem.backend.launch;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names of the sockets and files of a VMM that is to replace another one: until that has ended, they have a suffix. The
 * suffix has a new number each time, because a VMM removes at its end the sockets that have the names which it gave them.
 */
public final class SuccessorNames {
    private static final Pattern NAME = Pattern.compile("(.*)\\.next(\\d{1,9})");

    private final String suffix;

    private SuccessorNames(String suffix) {
        this.suffix = suffix;
    }

    /** @param places of the VMM that is replaced, from its command line */
    public static SuccessorNames after(List<Path> places) {
        int last = places.stream().mapToInt(SuccessorNames::number).max().orElse(0);
        return new SuccessorNames(".next" + (last + 1));
    }

    private static int number(Path place) {
        Matcher name = NAME.matcher(String.valueOf(place.getFileName()));
        return name.matches() ? Integer.parseInt(name.group(2)) : 0;
    }

    /** The final name, also for a VMM that has itself replaced another one. */
    public static Path lasting(Path place) {
        Matcher name = NAME.matcher(String.valueOf(place.getFileName()));
        return name.matches() ? place.resolveSibling(name.group(1)) : place;
    }

    /** The name until the other VMM has ended. */
    public Path meanwhile(Path place) {
        return place.resolveSibling(place.getFileName() + suffix);
    }
}
