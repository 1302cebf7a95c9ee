package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.doReturn;
import static org.mockito.Mockito.spy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.backend.vm.VmmProcesses;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttachedProcessesTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private final VmmProcesses processes = new AttachedProcesses();

    @Test
    @Tag("MEM-GUARD-9")
    void memoryOfLargePagesIsNotGuarded() throws IOException {
        try (SharedFile file = spy(SharedFile.memfd("ram", 2 * MIB))) {
            doReturn(2 * MIB).when(file).pageSize();
            VmmProcesses.Part part = new VmmProcesses.Part(0, 2 * MIB, file, 0);
            assertThatThrownBy(() -> processes.attach(folder.resolve("qmp"), List.of(part), OptionalLong.empty()))
                    .hasMessage("memory with pages of 2097152 bytes can't be guarded");
        }
    }

    @Test
    @Tag("VMM-ACTIVE-6")
    void thereIsNoEstimateOfAVmmWhoseMemoryMayBePinned() throws IOException {
        Path socket = folder.resolve("qmp");
        try (ScriptedVmm vmm = new ScriptedVmm(socket);
                SharedFile file = SharedFile.memfd("ram", MIB)) {
            vmm.answer("query-commands", "[{'name': 'query-named-block-nodes'}]");
            vmm.answer("query-named-block-nodes", "[{'drv': 'nvme', 'cache': {'direct': true}}]");
            VmmProcesses.Part part = new VmmProcesses.Part(0, MIB, file, 0);
            assertThatThrownBy(() -> processes.watch(socket, List.of(part), List.of()))
                    .hasMessage("the VMM has a block node with the driver nvme, through which its memory may be written"
                            + " without being tracked");
        }
    }

    @Test
    void vmmThatIsNotThereIsSaidNotToBe() throws IOException {
        Path nobody = folder.resolve("qmp");
        try (SharedFile file = SharedFile.memfd("ram", MIB)) {
            VmmProcesses.Part part = new VmmProcesses.Part(0, MIB, file, 0);
            assertThatThrownBy(() -> processes.attach(nobody, List.of(part), OptionalLong.empty()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(nobody.toString());
        }
    }
}
