package org.exomem.backend.vm;

import java.util.OptionalLong;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.pages.PageSubscription;

/**
 * The knowledge of a VM's devices about its guest, for a migration: where its memory is, and what they learn of its pages
 * from now on.
 *
 * @param addresses of the image's pages, as far as a connected front-end shares them
 * @param ownWrites the pages that exomem's devices write
 * @param hints of free page hinting
 * @param balloon pages that enter the balloon or leave it
 * @param blocks blocks that memory devices plug and unplug
 * @param target the requested logical size of the VM in bytes, if it is not the whole
 * @param end runs when the view is closed
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
    /** Any thread may call this. */
    @Override
    public void close() {
        hints.close();
        balloon.close();
        blocks.close();
        end.run();
    }
}
