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
 * The page descriptors that a guest's driver has reported. The balloon device is removed before the pause, or stops at it.
 * So the last report is kept from then on, and counts until the machine is reset (MIG-SETTLE-4, FPB-DESC-12). Used by the
 * migration's thread only.
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

    /** Returns the descriptors that count now. Empty if the driver has reported none, or can't be asked. */
    @Override
    public List<PageDescriptors> get() {
        // Other VMMs need not report a reset of the machine.
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
     * Checks, before the guest is handed over, that the descriptors of the pause still count.
     *
     * @throws IOException if the machine was reset since: its memory has changed
     */
    public void expectNoReset() throws IOException {
        if (kept != null && !kept.isEmpty() && vmm.resets() != resets) {
            throw new IOException("VM \"" + vm.name() + "\" was reset just before its guest moved: migrate it again");
        }
    }

    /**
     * Keeps the present descriptors, as the devices are about to be removed.
     *
     * @throws IOException if the VMM does not answer
     */
    void keep() throws IOException {
        // The answer comes after the events of earlier resets, so the device knows of these resets.
        vmm.isRunning();
        resets = vmm.resets();
        kept = get();
    }
}
