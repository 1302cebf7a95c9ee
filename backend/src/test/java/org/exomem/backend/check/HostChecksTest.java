package org.exomem.backend.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.exomem.backend.check.Finding.Level;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The findings on hosts that consist of files. */
class HostChecksTest {
    @TempDir
    Path root;

    /** A host that needs no changes, except for QEMU. */
    private void goodHost() throws IOException {
        put("/proc/sys/kernel/osrelease", "6.12.5-amd64");
        put("/proc/self/status", "Name:\tjava\nCapEff:\t000001ffffffffff\n");
        put("/proc/self/limits", "Limit\nMax open files            1024                 524288               files\n");
        put("/proc/sys/vm/max_map_count", "1048576");
        put("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size [advise] never deny force");
        put("/proc/meminfo", "MemTotal:       1024 kB\nHugePages_Total:       0\n");
        put("/proc/sys/vm/overcommit_memory", "0");
        put("/proc/self/cgroup", "0::/a.slice");
        put("/sys/fs/cgroup/a.slice/memory.max", "max");
        put("/dev/shm/x", "");
        put("/dev/kvm", "");
    }

    private void put(String path, String text) throws IOException {
        Path file = root.resolve(path.substring(1));
        Files.createDirectories(file.getParent());
        Files.writeString(file, text + "\n");
    }

    private String qemu(String prints) throws IOException {
        Path program = root.resolve("qemu");
        Files.writeString(program, "#!/bin/sh\n" + prints + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        return program.toString();
    }

    private Map<String, Finding> findings(String qemu) {
        return HostChecks.of(Host.at(root), qemu).stream()
                .collect(Collectors.toMap(Finding::topic, finding -> finding, (a, b) -> b, TreeMap::new));
    }

    private Map<String, Finding> findings() {
        return findings("/nonexistent/qemu");
    }

    private Finding finding(String topic) {
        return Objects.requireNonNull(findings().get(topic));
    }

    private Finding qemuFinding(String prints) throws IOException {
        return Objects.requireNonNull(findings(qemu(prints)).get("QEMU"));
    }

    @Test
    void goodHostNeedsNothing() throws IOException {
        goodHost();
        Map<String, Finding> findings = findings();
        findings.remove("QEMU");
        assertThat(findings.values()).allMatch(finding -> finding.level() == Level.OK);
        assertThat(findings)
                .containsOnlyKeys(
                        "kernel",
                        "attaching to VMMs",
                        "userfaultfd",
                        "descriptors",
                        "mappings",
                        "huge pages",
                        "/dev/shm",
                        "overcommit",
                        "KVM");
    }

    @ParameterizedTest
    @CsvSource({
        "6.6.13-amd64, ADVICE",
        "6.7, OK",
        "6.7.0-rc1, OK",
        "6.18.44-fc, OK",
        "5.15.0-100-generic, ADVICE",
        "7.0, OK",
        "nonsense, ADVICE",
        "99999999999999999999.1, OK"
    })
    void kernelIsNewEnoughToWatchWritesFromLinux67On(String release, Level level) throws IOException {
        goodHost();
        put("/proc/sys/kernel/osrelease", release);
        assertThat(finding("kernel").level()).isEqualTo(level);
    }

    @Test
    void userWithoutRightsIsToldWhichToGet() throws IOException {
        goodHost();
        put("/proc/self/status", "CapEff:\t0000000000000000");
        put("/proc/sys/kernel/yama/ptrace_scope", "1");
        put("/proc/sys/vm/unprivileged_userfaultfd", "0");
        assertThat(finding("attaching to VMMs").level()).isEqualTo(Level.ADVICE);
        assertThat(finding("attaching to VMMs").change())
                .contains("CAP_SYS_PTRACE")
                .contains("ptrace_scope=0");
        assertThat(finding("userfaultfd").level()).isEqualTo(Level.ADVICE);
        assertThat(finding("userfaultfd").change()).contains("vm.unprivileged_userfaultfd=1");

        // CAP_SYS_PTRACE alone does not open /proc/PID/fd of another user.
        put("/proc/self/status", "CapEff:\t0000000000080000");
        assertThat(finding("attaching to VMMs").level()).isEqualTo(Level.ADVICE);
        put("/proc/self/status", "CapEff:\t0000000000080004");
        assertThat(finding("attaching to VMMs").level()).isEqualTo(Level.OK);
        put("/proc/self/status", "CapEff:\t0000000000000000");

        put("/proc/sys/kernel/yama/ptrace_scope", "0");
        put("/proc/sys/vm/unprivileged_userfaultfd", "1");
        assertThat(finding("attaching to VMMs").level()).isEqualTo(Level.OK);
        assertThat(finding("userfaultfd").level()).isEqualTo(Level.OK);

        put("/proc/sys/vm/unprivileged_userfaultfd", "0");
        put("/dev/userfaultfd", "");
        assertThat(finding("userfaultfd").level()).isEqualTo(Level.OK);
    }

    @Test
    void fewDescriptorsAreSaidInVms() throws IOException {
        goodHost();
        put("/proc/self/limits", "Max open files            1024                 1024                 files     ");
        Finding finding = finding("descriptors");
        assertThat(finding.level()).isEqualTo(Level.ADVICE);
        assertThat(finding.found())
                .isEqualTo("1024 open files, enough for 8 VMs with a balloon and a memory device each");
        put("/proc/self/limits", "Max open files            unlimited            unlimited            files     ");
        assertThat(finding("descriptors").level()).isEqualTo(Level.OK);
    }

    @Test
    void otherSettingsThatCostSomethingAreNamed() throws IOException {
        goodHost();
        put("/proc/sys/vm/max_map_count", "1000");
        put("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force");
        put("/proc/sys/vm/overcommit_memory", "2");
        put("/sys/fs/cgroup/a.slice/memory.max", "1073741824");
        put("/proc/meminfo", "MemTotal:       99999999999 kB");
        Files.delete(root.resolve("dev/kvm"));
        assertThat(findings().values().stream()
                        .filter(finding -> finding.level() == Level.ADVICE)
                        .map(Finding::topic))
                .contains("mappings", "huge pages", "overcommit", "memory limit", "/dev/shm", "KVM");
    }

    @ParameterizedTest
    @CsvSource({
        "QEMU emulator version 11.1.2 (Debian 1:11.1.2+ds-1), ADVICE, does not reconnect",
        "QEMU emulator version 10.2.0, ADVICE, does not reconnect",
        "QEMU emulator version 10.1.9, PROBLEM, vhost-user-test-device-pci",
        "QEMU emulator version 7.2.11, PROBLEM, vhost-user-test-device-pci",
        "something else, ADVICE, is not QEMU"
    })
    void qemuIsJudgedByItsVersion(String says, Level level, String found) throws IOException {
        goodHost();
        Finding finding = qemuFinding("echo '" + says + "'");
        assertThat(finding.level()).isEqualTo(level);
        assertThat(finding.found()).contains(found);
    }

    @Test
    void programThatFailsOrFloodsIsNoQemu() throws IOException {
        goodHost();
        assertThat(qemuFinding("echo 'version 11.0'; exit 1").found()).contains("can't be run or fails");
    }

    @Test
    void hostWithoutAnyOfTheFilesIsNoFault() {
        assertThat(HostChecks.of(Host.at(root), "/nonexistent").stream().map(Finding::topic))
                .isEqualTo(List.of("attaching to VMMs", "userfaultfd", "KVM", "QEMU"));
    }

    @Test
    void filesWithNonsenseAreNoFault() throws IOException {
        goodHost();
        for (String path : List.of(
                "/proc/self/status",
                "/proc/self/limits",
                "/proc/sys/vm/max_map_count",
                "/proc/meminfo",
                "/proc/self/cgroup",
                "/sys/kernel/mm/transparent_hugepage/shmem_enabled")) {
            put(path, "CapEff: zzzzzzzzzzzzzzzzzzzzzzzzz\nMax open files\nMemTotal: 99999999999999999999999 kB\n0::");
        }
        assertThat(findings()).containsKey("kernel");
    }
}
