package org.exomem.backend.vm;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends VMs in parallel: a VM whose loop is held up must stop neither the others nor the process. */
public final class VmShutdown {
    private static final Logger LOG = LoggerFactory.getLogger(VmShutdown.class);

    private VmShutdown() {}

    /**
     * Closes the VMs. Returns when all have ended, or at the limit, with a line in the log for each VM that has not. Also
     * logs which VMs have a VMM that loses its devices.
     *
     * @return whether all have ended
     */
    public static boolean close(List<ServedVm> vms, Duration limit) {
        for (ServedVm vm : vms) {
            if (vm.isConnected()) {
                LOG.warn(
                        "{}: a VMM is still connected: its VM keeps the memory that it has now, and can't be resized;"
                                + " QEMU does not reconnect",
                        vm.name());
            }
        }
        List<Leave> leaves = vms.stream().map(Leave::of).toList();
        long end = System.nanoTime() + limit.toNanos();
        boolean all = true;
        for (Leave leave : leaves) {
            if (!leave.endedBy(end)) {
                all = false;
                LOG.error(
                        "{}: did not end within {} s: its memory file or its VMM blocks it; exomem ends without"
                                + " waiting for it",
                        leave.vm.name(),
                        limit.toSeconds());
            }
        }
        return all;
    }

    private record Leave(ServedVm vm, CountDownLatch ended) {
        static Leave of(ServedVm vm) {
            Leave leave = new Leave(vm, new CountDownLatch(1));
            // No virtual thread: if a file system held it up, it would keep others from running.
            Thread.ofPlatform().daemon().name("end-" + vm.name()).start(leave::close);
            return leave;
        }

        private void close() {
            try {
                vm.close();
            } catch (RuntimeException e) {
                LOG.error("{}: did not end cleanly", vm.name(), e);
            } finally {
                ended.countDown();
            }
        }

        boolean endedBy(long nanoTime) {
            try {
                return ended.await(Math.max(0, nanoTime - System.nanoTime()), TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
    }
}
