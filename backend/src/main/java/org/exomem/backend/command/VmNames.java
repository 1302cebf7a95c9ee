package org.exomem.backend.command;

import java.util.Iterator;
import java.util.List;

/** Where a command takes the name of a VM: a mark for {@link CompletionCommand}, which has the shell ask for the names. */
final class VmNames implements Iterable<String> {
    static final String MARK = "NAMES-OF-VMS";

    @Override
    public Iterator<String> iterator() {
        return List.of(MARK).iterator();
    }
}
