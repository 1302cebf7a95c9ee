package org.exomem.backend.vmm;

/** While this is open, a VMM leaves shared memory out of what it saves and loads (VMM-6). */
@FunctionalInterface
public interface IgnoreShared extends AutoCloseable {
    /** Sets the VMM back. A failure is reported in the log. */
    @Override
    void close();
}
