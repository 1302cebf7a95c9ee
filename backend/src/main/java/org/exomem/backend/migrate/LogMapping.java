package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.Optional;
import org.exomem.backend.vm.GuestView;
import org.exomem.backend.vmm.DirtyLogFile;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.SharedLog;
import org.exomem.migration.pagesource.Unlogged;
import org.jspecify.annotations.Nullable;

/** The VMM's log of writes, mapped, if the VMM has one (MIG-DIRTY-3, MIG-DIRTY-5). */
record LogMapping(@Nullable Mapping mapping) implements AutoCloseable {
    static LogMapping of(Optional<DirtyLogFile> log) throws IOException {
        if (log.isEmpty()) {
            return new LogMapping(null);
        }
        try (SharedFile file = SharedFile.open(log.get().path())) {
            return new LogMapping(Mapping.of(file, 0, log.get().size() & -Long.BYTES));
        }
    }

    DirtySource source(GuestView view, long pages) {
        return mapping == null ? new Unlogged() : new SharedLog(mapping.segment(), view.addresses(), pages);
    }

    @Override
    public void close() {
        if (mapping != null) {
            mapping.close();
        }
    }
}
