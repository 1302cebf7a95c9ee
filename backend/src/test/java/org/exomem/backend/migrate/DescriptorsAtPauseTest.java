package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.pages.PageDescriptors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("MIG-SETTLE-4")
@Tag("FPB-DESC-12")
class DescriptorsAtPauseTest {
    private static final List<PageDescriptors> TOLD =
            List.of(new PageDescriptors(12, 10, 64, 48, 40, 1, 1, List.of(), List.of()));

    private final VirtualMachine vm = mock(VirtualMachine.class);
    private final QmpVmm vmm = mock(QmpVmm.class);
    private final DescriptorsAtPause descriptors = new DescriptorsAtPause(vm, vmm);

    @BeforeEach
    void nameTheVm() {
        when(vm.name()).thenReturn("vm");
        when(vmm.isQemu()).thenReturn(true);
        deviceSays(TOLD);
    }

    private void deviceSays(List<PageDescriptors> told) {
        when(vm.pageDescriptors()).thenReturn(CompletableFuture.completedFuture(told));
    }

    @Test
    void theDeviceIsAskedAsLongAsItIsThere() {
        assertThat(descriptors.get()).isEqualTo(TOLD);
        deviceSays(List.of());
        assertThat(descriptors.get()).isEmpty();
    }

    @Test
    void whatWasToldIsKeptWhenTheDeviceIsTakenOut() throws IOException {
        descriptors.keep();
        deviceSays(List.of());
        assertThat(descriptors.get()).isEqualTo(TOLD);
    }

    @Test
    void aMachineThatIsResetAfterThatHasOtherRecords() throws IOException {
        when(vmm.resets()).thenReturn(1L);
        descriptors.keep();
        assertThat(descriptors.get()).isEqualTo(TOLD);
        when(vmm.resets()).thenReturn(2L);
        assertThat(descriptors.get()).isEmpty();
    }

    @Test
    void aResetAfterThePauseIsAFailure() throws IOException {
        descriptors.keep();
        descriptors.expectNoReset();
        when(vmm.resets()).thenReturn(1L);
        assertThatThrownBy(descriptors::expectNoReset).hasMessageContaining("was reset");
    }

    @Test
    void aVmmThatNeedNotTellOfResetsIsNotTrusted() throws IOException {
        when(vmm.isQemu()).thenReturn(false);
        assertThat(descriptors.get()).isEmpty();
        descriptors.keep();
        assertThat(descriptors.get()).isEmpty();
    }

    @Test
    void aDeviceThatDoesNotAnswerHasToldNothing() {
        when(vm.pageDescriptors()).thenReturn(CompletableFuture.failedFuture(new IOException("hung")));
        assertThat(descriptors.get()).isEmpty();
    }
}
