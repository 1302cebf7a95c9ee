package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.pages.PageDescriptors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a guest's driver has told of its page descriptors. Its device is taken out before the pause, or stops at it. So what it told is kept
 * from then on, and counts for as long as the machine is not reset (MIG-SETTLE-4, FPB-DESC-12). Belongs to the migration's thread.
 */
public final class DescriptorsAtPause implements Supplier<List<PageDescriptors>> {
    private static final Logger LOG = LoggerFactory.getLogger(DescriptorsAtPause.class);

    private final VirtualMachine vm;
    private final QmpVmm vmm;
    private @Nullable List<PageDescriptors> kept;
    private long resets;

    DescriptorsAtPause(VirtualMachine vm, QmpVmm vmm) {
        this.vm = vm;
        this.vmm = vmm;
    }

    /** Returns what counts now; nothing if the driver has told nothing, or can't be asked. */
    @Override
    public List<PageDescriptors> get() {
        // Others need not tell that the machine was reset.
        if (!vmm.isQemu()) {
            return List.of();
        }
        if (kept != null) {
            return vmm.resets() == resets ? kept : List.of();
        }
        try {
            return vm.pageDescriptors().join();
        } catch (CompletionException e) {
            LOG.info("{}: no page descriptors: {}", vm.name(), OutgoingGuest.reason(e));
            return List.of();
        }
    }

    /**
     * Makes sure, before the guest is handed over, that what counted at the pause still does.
     *
     * @throws IOException if the machine was reset since: its memory has changed
     */
    public void expectNoReset() throws IOException {
        if (kept != null && !kept.isEmpty() && vmm.resets() != resets) {
            throw new IOException("the machine of VM \"" + vm.name()
                    + "\" was reset while its guest was about to move: migrate it again");
        }
    }

    /** The devices are about to be taken out. */
    void keep() throws IOException {
        // Whatever reset came before is told by now, and the device knows of it.
        vmm.isRunning();
        resets = vmm.resets();
        kept = get();
    }
}
