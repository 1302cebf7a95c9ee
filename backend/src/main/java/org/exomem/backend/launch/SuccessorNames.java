package org.exomem.backend.launch;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Names of what a VMM makes that is to take another one's place: until that has ended, its sockets and files have a suffix. The number in it is
 * another each time, because a VMM removes at its end what has the name by then that it gave.
 */
public final class SuccessorNames {
    private static final Pattern NAME = Pattern.compile("(.*)\\.next(\\d{1,9})");

    private final String suffix;

    private SuccessorNames(String suffix) {
        this.suffix = suffix;
    }

    /** @param places of the VMM whose place is taken, as in its command line */
    public static SuccessorNames after(List<Path> places) {
        int last = places.stream().mapToInt(SuccessorNames::number).max().orElse(0);
        return new SuccessorNames(".next" + (last + 1));
    }

    private static int number(Path place) {
        Matcher name = NAME.matcher(String.valueOf(place.getFileName()));
        return name.matches() ? Integer.parseInt(name.group(2)) : 0;
    }

    /** The name that it has for good, also of one whose VMM has taken another one's place itself. */
    public static Path lasting(Path place) {
        Matcher name = NAME.matcher(String.valueOf(place.getFileName()));
        return name.matches() ? place.resolveSibling(name.group(1)) : place;
    }

    /** The name that it has meanwhile. */
    public Path meanwhile(Path place) {
        return place.resolveSibling(place.getFileName() + suffix);
    }
}
