package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.HeldUpVm;
import org.exomem.backend.config.DeviceConfig;
import org.exomem.backend.config.ServeConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 180, unit = TimeUnit.SECONDS)
class HeldUpDevicesTest {
    @TempDir
    Path folder;

    @Test
    void devicesOfAVmThatHangsStayAsTheyAreAlsoWhenItGoesOn() throws Exception {
        DeviceConfig mem = ServeConfig.mem("vm=a,id=m,addr=4G,size=64M,block=2M,socket=" + folder.resolve("m"));
        try (HeldUpVm heldUp = HeldUpVm.start("a", folder)) {
            ServedVm vm = heldUp.vm();
            assertThatThrownBy(() -> vm.add(mem)).isInstanceOf(VirtualMachine.NotAnswering.class);
            assertThatThrownBy(() -> vm.removeUnattached("balloon")).isInstanceOf(VirtualMachine.NotAnswering.class);
            heldUp.release();
            vm.state().join();
            assertThat(vm.config().devices()).extracting(DeviceConfig::id).containsExactly("balloon");
            assertThat(folder.resolve("m")).doesNotExist();
            vm.add(mem);
            assertThat(folder.resolve("m")).exists();
        }
    }
}
