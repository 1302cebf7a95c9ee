package org.exomem.backend.vm;

import java.util.OptionalLong;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.pages.PageSubscription;

/**
 * What a VM's devices show of its guest to a migration: where its memory is, and from now on what they learn of its pages.
 *
 * @param addresses of the image's pages, as far as a connected front-end shows them
 * @param ownWrites what exomem's devices write into it
 * @param hints of free page hinting
 * @param balloon what goes into the balloon and out
 * @param blocks what memory devices plug and unplug
 * @param target the logical size in bytes that is wanted of the VM, if another than the whole is
 * @param end is run when nobody wants to see it any more
 */
public record GuestView(
        AddressMap addresses,
        DirtySource ownWrites,
        PageSubscription hints,
        PageSubscription balloon,
        PageSubscription blocks,
        OptionalLong target,
        Runnable end)
        implements AutoCloseable {
    /** From any thread. */
    @Override
    public void close() {
        hints.close();
        balloon.close();
        blocks.close();
        end.run();
    }
}
