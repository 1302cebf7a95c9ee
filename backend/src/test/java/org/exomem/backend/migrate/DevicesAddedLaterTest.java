package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.vmm.DirectWrites;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("MIG-WATCH-2")
class DevicesAddedLaterTest {
    private static final DirectWrites NONE = new DirectWrites(false, Optional.empty());
    private static final DirectWrites DIRECT = new DirectWrites(true, Optional.empty());
    private static final DirectWrites PINNING = new DirectWrites(true, Optional.of("nvme"));
    private static final int PAGES = 100;

    private final QmpVmm vmm = mock(QmpVmm.class);
    private final List<String> notes = new ArrayList<>();

    private DevicesAddedLater since(DirectWrites before) {
        return new DevicesAddedLater(vmm, before, notes::add);
    }

    private static long told(DevicesAddedLater disks) {
        PageBits into = new PageBits(PAGES);
        disks.sync(into);
        return into.count();
    }

    @Test
    void afterADirectDiskWasAddedEveryPageMayBeWrittenForGood() throws IOException {
        DevicesAddedLater disks = since(NONE);
        when(vmm.directWrites()).thenReturn(NONE, DIRECT, NONE);
        assertThat(told(disks)).isZero();
        assertThat(told(disks)).isEqualTo(PAGES);
        assertThat(told(disks)).isEqualTo(PAGES);
        assertThat(notes).singleElement().asString().contains("a device was added to the VMM");
    }

    @Test
    void anotherDirectDiskIsNothingNewAndOneThatPinsIs() throws IOException {
        DevicesAddedLater disks = since(DIRECT);
        when(vmm.directWrites()).thenReturn(DIRECT, PINNING);
        assertThat(told(disks)).isZero();
        assertThat(told(disks)).isEqualTo(PAGES);
    }

    @Test
    void aVmmThatDoesNotTellIsTakenForOneThatHas() throws IOException {
        DevicesAddedLater disks = since(NONE);
        when(vmm.directWrites()).thenThrow(new IOException("gone"));
        assertThat(told(disks)).isEqualTo(PAGES);
        assertThat(notes).singleElement().asString().contains("gone");
    }
}
