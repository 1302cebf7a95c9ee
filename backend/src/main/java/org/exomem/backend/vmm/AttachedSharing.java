package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.exomem.backend.qmp.VmmException;
import org.exomem.backend.vm.PageSharing;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.ProcessFd;
import org.exomem.linux.process.SharedInPlace;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes a QEMU share pages by attaching to it (IMG-CLONE-6). The methods must not run at the same time. */
final class AttachedSharing implements PageSharing {
    private static final Logger LOG = LoggerFactory.getLogger(AttachedSharing.class);

    private final Path qmp;
    private final ProcessFd process;
    private final SharedInPlace sharing;
    private final StandStill guest = new StandStill();

    private AttachedSharing(Path qmp, ProcessFd process, SharedInPlace sharing) {
        this.qmp = qmp;
        this.process = process;
        this.sharing = sharing;
    }

    /** See {@link org.exomem.backend.vm.VmmProcesses#share}. */
    static AttachedSharing begin(Path qmp, int frontEnd, SharedFile file) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                WatchedVmm watched = vmm.watched()) {
            // A descriptor of its own, which is held longer than the connection.
            ProcessFd process = ProcessFd.open(watched.attachable().pid());
            try {
                if (process.pid() != frontEnd || !watched.attachable().isAlive()) {
                    throw new VmmException("the VMM on " + qmp + " is " + process
                            + ", but the memory of the clone was shared by process " + frontEnd);
                }
                vmm.directWrites().refusePins();
                return new AttachedSharing(qmp, process, SharedInPlace.of(process, file));
            } catch (IOException | RuntimeException e) {
                process.close();
                throw e;
            }
        }
    }

    @Override
    public void share(List<SharedInPlace.Range> ranges) throws IOException {
        if (guest.isOwed() || DirectWrites.mayBe(process.pid())) {
            shareBesideDirectWrites(ranges);
        } else {
            sharing.share(ranges);
        }
    }

    /** IMG-CLONE-11: a write of the host to a pinned page would not reach the page that replaces it. */
    private void shareBesideDirectWrites(List<SharedInPlace.Range> ranges) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            if (vmm.pid() != process.pid()) {
                throw new VmmException("the VMM on " + qmp + " is no longer " + process);
            }
            DirectWrites direct = vmm.directWrites();
            direct.refusePins();
            if (direct.early() || guest.isOwed()) {
                guest.during(vmm, () -> sharing.share(ranges));
            } else {
                sharing.share(ranges);
            }
        }
    }

    @Override
    public void giveBack(List<SharedInPlace.Range> ranges) throws IOException {
        sharing.giveBack(ranges);
    }

    @Override
    public void close() {
        if (guest.isOwed()) {
            LOG.warn(
                    "exomem paused the guest of the VMM on {} for a moment, and it may still be paused: check the VMM",
                    qmp);
        }
        try {
            sharing.close();
        } catch (IOException e) {
            LOG.debug("{}: {}", process, e.getMessage());
        } finally {
            process.close();
        }
    }
}
