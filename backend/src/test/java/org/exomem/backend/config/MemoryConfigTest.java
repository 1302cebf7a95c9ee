package org.exomem.backend.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.exomem.linux.HostRam;
import org.exomem.mem.MemoryRegionPlan;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemoryConfigTest {
    private static final long GIB = 1L << 30;

    @TempDir
    Path folder;

    @Test
    void shortestDeviceHasDefaults() throws Exception {
        MemoryConfig mem = ServeConfig.mem("vm=web,id=m0,socket=/run/m0.sock,addr=4G,size=8G");
        assertThat(mem.plan().address()).isEqualTo(4 * GIB);
        assertThat(mem.plan().size()).isEqualTo(8 * GIB);
        assertThat(mem.plan().node()).isEmpty();
        assertThat(mem.attachment()).isEqualTo(new Attachment.Listen(Path.of("/run/m0.sock")));
        assertThat(mem.requested()).isZero();
        assertThat(mem.preallocate()).isFalse();
        assertThat(mem.patrolSeconds()).isEqualTo(10);
        assertThat(mem.violation()).isEqualTo(Violation.PUNCH);
        assertThat(mem.prevention()).isEqualTo(Prevention.ZERO);
        assertThat(mem.vmmQmp()).isEmpty();
    }

    @Test
    void blockIsAHugePageOfTheHostIfNobodySaysOtherwise() throws Exception {
        Path hugePage = Path.of("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
        long expected = Files.exists(hugePage)
                ? Math.max(1 << 20, Long.parseLong(Files.readString(hugePage).strip()))
                : 1 << 20;
        assertThat(ServeConfig.mem("vm=web,id=m0,socket=/s,addr=4G,size=8G")
                        .plan()
                        .blockSize())
                .isEqualTo(expected);
    }

    @Test
    void everyOptionHasItsEffect() throws ConfigException {
        assertThat(
                        ServeConfig.mem(
                                "vm=a,id=m0,fd=7,addr=0x180000000,size=4G,requested=1G,block=4M,node=3,prealloc,"
                                        + "patrol=60,violation=prevent,prevent=stop,vmm-writes=watch,vmm-active=86400,vmm-qmp=/run/q,,mp"))
                .isEqualTo(new MemoryConfig(
                        "a",
                        "m0",
                        new Attachment.Inherited(7),
                        new MemoryRegionPlan(6 * GIB, 4 * GIB, 4 << 20, OptionalInt.of(3)),
                        GIB,
                        true,
                        60,
                        Violation.PREVENT,
                        Prevention.STOP,
                        Optional.of(Path.of("/run/q,mp")),
                        WritesChoice.WATCH,
                        86400));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        id=m,socket=/s,addr=4G,size=1G             | vm is missing: the VM's name on the control socket
        vm=a,socket=/s,addr=4G,size=1G             | id is missing: the name of this memory device, such as id=m0
        vm=a,id=m,addr=4G,size=1G                  | socket (or fd) is missing: where the VMM attaches
        vm=a,id=m,socket=/s,size=1G                | addr is missing: where the device's region of guest memory starts (addr), and how large it is (size)
        vm=a,id=m,socket=/s,addr=4G                | size is missing: where the device's region of guest memory starts (addr), and how large it is (size)
        vm=a,id=2G,socket=/s,addr=4G,size=1G       | id: "2G" is not a valid name of a memory device; use a letter and up to 63 letters, digits and . _ : @ - but not "balloon"
        vm=a,id=balloon,socket=/s,addr=4G,size=1G  | id: "balloon" is not a valid name of a memory device; use a letter and up to 63 letters, digits and . _ : @ - but not "balloon"
        vm=a,id=m,socket=/s,addr=4G,size=1G,block=3M | block size 3 MiB is not a power of two of at least 1 MiB
        vm=a,id=m,socket=/s,addr=4G,size=1G,block=512K | block size 512 KiB is not a power of two of at least 1 MiB
        vm=a,id=m,socket=/s,addr=4G,size=1025M,block=2M | region size 1.0 GiB (1074790400 bytes) is not a multiple of the block size, 2 MiB
        vm=a,id=m,socket=/s,addr=4G,size=0,block=2M | region size 0 B is not a multiple of the block size, 2 MiB
        vm=a,id=m,socket=/s,addr=4097M,size=1G,block=2M | address 0x100100000 is not a multiple of the block size, 2 MiB
        vm=a,id=m,socket=/s,addr=0xffffffffffe00000,size=1G,block=2M | addr: "0xffffffffffe00000" is not a valid guest address
        vm=a,id=m,socket=/s,addr=0xfffffff00000,size=1G,block=1M | a region of 1 GiB at address 0xfffffff00000 ends above 2^48, the limit of guest memory
        vm=a,id=m,socket=/s,addr=0xg,size=1G       | addr: "0xg" is not a size; write it like 512M, 2G or 1.5GiB
        vm=a,id=m,socket=/s,addr=4G,size=1G,block=2M,requested=2G | 2 GiB is not from 0 to 1 GiB, the size of the device's region
        vm=a,id=m,socket=/s,addr=4G,size=1G,block=2M,requested=1M | 1 MiB is not a multiple of the block size, 2 MiB
        vm=a,id=m,socket=/s,addr=4G,size=1G,node=65536 | node: "65536" is not a number from 0 to 65535
        vm=a,id=m,socket=/s,addr=4G,size=1G,patrol=-1 | patrol: "-1" is not a number from 0 to 86400
        vm=a,id=m,socket=/s,addr=4G,size=1G,violation=kill | violation: "kill" is none of report, punch, stop, prevent
        vm=a,id=m,socket=/s,addr=4G,size=1G,violation=stop | violation=stop needs vmm-qmp, the path of the VMM's QMP socket
        vm=a,id=m,socket=/s,addr=4G,size=1G,vmm-active=5 | vmm-active needs vmm-qmp, the path of the VMM's QMP socket
        vm=a,id=m,socket=/s,addr=4G,size=1G,vmm-qmp=/q,vmm-active=86401 | vmm-active: "86401" is not a number from 0 to 86400
        vm=a,id=m,socket=/s,addr=4G,size=1G,violation=prevent | violation=prevent needs vmm-qmp, the path of the VMM's QMP socket
        vm=a,id=m,socket=/s,addr=4G,size=1G,prevent=punch | prevent: "punch" is none of zero, stop
        vm=a,id=m,socket=/s,addr=4G,size=1G,prevent=stop | prevent needs violation=prevent
        """)
    void wrongDeviceIsExplained(String words, String complaint) {
        assertThatThrownBy(() -> ServeConfig.mem(words))
                .isInstanceOf(ConfigException.class)
                .hasMessage("--mem " + words + ": " + complaint);
    }

    @Test
    void unknownOptionIsAnsweredWithThoseThatExist() {
        assertThatThrownBy(() -> ServeConfig.mem("vm=a,discard=off"))
                .hasMessage("--mem vm=a,discard=off: \"discard\" is not an option of a memory device; the options are"
                        + " vm, id, socket, connect, fd, socket-mode, socket-group, addr, size, requested, block,"
                        + " node, prealloc, patrol, violation, prevent, vmm-qmp, vmm-writes, vmm-active");
    }

    @Test
    void devicesOfOneVmMayNotShareAddresses() {
        assertThatThrownBy(() -> config(
                                "vm=a,id=m0,socket=/s,addr=4G,size=2G,block=2M",
                                "vm=a,id=m1,socket=/t,addr=5G,size=2G,block=4M")
                        .checked())
                .hasMessage("VM \"a\": the regions of its memory devices \"m0\" (0x100000000 to 0x180000000) and \"m1\""
                        + " (0x140000000 to 0x1c0000000) overlap");
    }

    @Test
    void regionAboveTheLimitIsRefusedAndTheLimitCanBeSet() throws ConfigException {
        ServeConfig config = config("vm=a,id=m,socket=/s,addr=4G,size=4T");
        assertThatThrownBy(() -> config.withMaxMemory(OptionalLong.of(1L << 40)).checked())
                .hasMessage("VM \"a\", memory device \"m\": a region of 4 TiB is above the limit of 1 TiB; set another"
                        + " limit with --max-memory SIZE (max-memory in the file)");
        assertThat(config.withMaxMemory(OptionalLong.of(1L << 42)).checked()).isNotNull();
        assertThat(config.memoryLimit()).isEqualTo(4 * HostRam.bytes());
        assertThatThrownBy(() -> config("vm=a,id=m,socket=/s,addr=0x10000000000,size=128T")
                        .checked())
                .hasMessageContaining(" (4 times the RAM of this host); set another limit with --max-memory SIZE");
    }

    @Test
    void regionsSideBySideAndThoseOfOtherVmsAreFine() throws ConfigException {
        ServeConfig config = config(
                        "vm=a,id=m0,socket=/s,addr=4G,size=2G",
                        "vm=a,id=m1,socket=/t,addr=6G,size=2G,node=1",
                        "vm=b,id=m0,socket=/u,addr=5G,size=2G")
                .checked();
        assertThat(config.vms().stream().map(vm -> vm.name() + vm.memory().size()))
                .containsExactly("a2", "b1");
    }

    @Test
    void twoDevicesOfOneNameOrOnOneSocketAreErrors() {
        assertThatThrownBy(() -> config("vm=a,id=m,socket=/s,addr=4G,size=1G", "vm=a,id=m,socket=/t,addr=8G,size=1G")
                        .checked())
                .hasMessage("VM \"a\" has two memory devices \"m\"");
        assertThatThrownBy(() -> config("vm=a,id=m,socket=/s,addr=4G,size=1G", "vm=b,id=m,socket=/s,addr=4G,size=1G")
                        .checked())
                .hasMessage(
                        "VM \"a\" with its memory device \"m\" and VM \"b\" with its memory device \"m\" both use /s");
    }

    @Test
    void fileHasTheOptionsOfTheCommandLine() throws Exception {
        ServeConfig config = read("""
            balloons:
              - vm: web
                socket: web.sock
            mems:
              - vm: web
                id: m0
                socket: m0.sock
                addr: 0x100000000
                size: 8G
                requested: 2G
                block: 2M
                node: 1
                prealloc: on
                violation: stop
                vmm-qmp: qmp.sock
            """);
        MemoryConfig mem = config.checked().mems().getFirst();
        assertThat(mem.attachment()).isEqualTo(new Attachment.Listen(folder.resolve("m0.sock")));
        assertThat(mem.vmmQmp()).contains(folder.resolve("qmp.sock"));
        assertThat(mem.requested()).isEqualTo(2 * GIB);
        assertThat(config.vms()).hasSize(1);
        assertThat(config.vms().getFirst().balloon()).isPresent();
    }

    @Test
    void wrongOptionInAFileNamesItsLine() {
        assertThatThrownBy(() -> read("mems:\n  - vm: a\n    id: m0\n    node: x\n"))
                .hasMessage(folder.resolve("config.yaml") + ":4: node: \"x\" is not a number from 0 to 65535");
    }

    private ServeConfig read(String text) throws IOException, ConfigException {
        return ConfigFile.read(Files.writeString(folder.resolve("config.yaml"), text));
    }

    private static ServeConfig config(String... mems) throws ConfigException {
        List<MemoryConfig> all = new ArrayList<>();
        for (String mem : mems) {
            all.add(ServeConfig.mem(mem));
        }
        return new ServeConfig(Optional.empty(), List.of(), all, Optional.empty());
    }
}
