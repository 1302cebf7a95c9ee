package org.exomem.backend.vm;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.vhostuser.backend.EventLoop;

/**
 * Answers touches of unplugged memory whose guard ended with an earlier process, so that no guest waits forever
 * (MEM-GUARD-7): its VMM may never connect again, as QEMU does not. Without access to the VMM's memory, touched pages can't
 * be freed. On a VM's loop.
 */
final class OrphanedTouches implements AutoCloseable {
    private final EventLoop loop;
    private final Touched touched;
    private final Consumer<String> warnings;
    private final List<Orphan> orphans = new ArrayList<>();

    private record Orphan(PageFaults faults, EventLoop.Watch watch) {}

    /**
     * Notified of each touch that was answered, for any device of the VM, because the mappings of the devices in the VMM are
     * unknown.
     */
    @FunctionalInterface
    interface Touched {
        void by(boolean isWrite);
    }

    OrphanedTouches(EventLoop loop, Touched touched, Consumer<String> warnings) {
        this.loop = loop;
        this.touched = touched;
        this.warnings = warnings;
    }

    /**
     * Begins to answer touches.
     *
     * @param found owned from now on
     * @param wanted false to only close them
     */
    void serve(List<PageFaults> found, boolean wanted) {
        for (PageFaults faults : found) {
            try {
                if (wanted) {
                    faults.wakeAll();
                    orphans.add(new Orphan(faults, loop.watch(faults.fd(), () -> answer(faults))));
                } else {
                    faults.close();
                }
            } catch (LinuxException e) {
                faults.close();
                warnings.accept(e.getMessage());
            }
        }
        if (!orphans.isEmpty()) {
            warnings.accept(
                    "unplugged memory is guarded in a VMM that is not connected: accesses get pages of zeros, which"
                            + " remain until it reconnects");
        }
    }

    private void answer(PageFaults faults) {
        try {
            int touches = faults.take();
            for (int i = 0; i < touches; i++) {
                long address = faults.address(i);
                if (address == 0) {
                    continue;
                }
                if (faults.isWriteProtected(i)) {
                    faults.allowWrite(address);
                } else {
                    faults.giveZeros(address);
                }
                touched.by(faults.isWrite(i));
            }
        } catch (LinuxException e) {
            // The VMM has ended.
            close();
        }
    }

    /** Ends the answers, because a new guard gives them or no touch waits. */
    @Override
    public void close() {
        for (Orphan orphan : orphans) {
            orphan.watch().close();
            orphan.faults().close();
        }
        orphans.clear();
    }
}
