package org.exomem.backend.check;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.control.DescriptorNeeds;
import org.exomem.backend.http.HttpServer;
import org.exomem.backend.ui.UiServer;

/** All checks of {@code exomem check}. Files that can't be read are skipped, as they are missing in a container. */
public final class HostChecks {
    private static final long KIB = 1024;
    private static final int CAP_DAC_OVERRIDE = 1;
    private static final int CAP_DAC_READ_SEARCH = 2;
    private static final int CAP_SYS_PTRACE = 19;
    private static final String STATUS = "/proc/self/status";

    /** The first kernel with PAGEMAP_SCAN. */
    private static final int[] WATCHING = {6, 7};

    /** The first QEMU with vhost-user-test-device-pci. */
    private static final int[] QEMU = {10, 2};

    /** The descriptors of a process with metrics and the page, each on a Unix socket and a TCP address. */
    private static final long OWN_DESCRIPTORS = DescriptorNeeds.OF_THE_PROCESS
            + DescriptorNeeds.LEAST_CLIENTS
            + HttpServer.descriptors(2)
            + UiServer.descriptors(2);
    /** The descriptors of a VM with a balloon and a memory device. */
    private static final long DESCRIPTORS_OF_A_VM = DescriptorNeeds.ofVm(2);

    private static final long MANY_VMS = 200;
    private static final long USUAL_DESCRIPTORS = 65536;
    private static final long USUAL_MAPPINGS = 65530;
    private static final long LEAST_ROOM = 256L << 20;

    private final Host host;
    private final String qemu;
    private final List<Finding> findings = new ArrayList<>();

    private HostChecks(Host host, String qemu) {
        this.host = host;
        this.qemu = qemu;
    }

    /**
     * Runs all checks.
     *
     * @param qemu the program, by name or path
     */
    public static List<Finding> of(Host host, String qemu) {
        HostChecks checks = new HostChecks(host, qemu);
        checks.kernel();
        checks.tracing();
        checks.userfaultfd();
        checks.descriptors();
        checks.mappings();
        checks.hugePages();
        checks.sharedMemory();
        checks.overcommit();
        checks.memoryLimit();
        checks.kvm();
        checks.qemu();
        return List.copyOf(checks.findings);
    }

    private void kernel() {
        host.text("/proc/sys/kernel/osrelease").ifPresent(release -> {
            String found = "Linux " + release;
            findings.add(
                    isAtLeast(release, WATCHING)
                            ? Finding.ok("kernel", found)
                            : Finding.advice(
                                    "kernel",
                                    found + ": the writes of a guest can't be tracked from outside its VMM",
                                    "use Linux 6.7 or newer",
                                    "migrations without the VMM's dirty log need not compare all memory in each"
                                            + " round; violation=prevent and vmm-active work"));
        });
    }

    /** Missing numbers count as 0. */
    private static boolean isAtLeast(String version, int... least) {
        Matcher numbers = Pattern.compile("([0-9]{1,6})(?:\\.([0-9]{1,6}))?").matcher(version);
        if (!numbers.lookingAt()) {
            return false;
        }
        int major = Integer.parseInt(numbers.group(1));
        int minor = numbers.group(2) == null ? 0 : Integer.parseInt(numbers.group(2));
        return major > least[0] || major == least[0] && minor >= least[1];
    }

    private boolean mayTraceAll() {
        return has(CAP_SYS_PTRACE);
    }

    private boolean has(int capability) {
        return host.line(STATUS, "CapEff:")
                .filter(bits -> bits.matches("[0-9a-f]{1,16}"))
                .map(bits -> (Long.parseUnsignedLong(bits, 16) >> capability & 1) != 0)
                .orElse(false);
    }

    private void tracing() {
        // Without one of the latter two, /proc does not show the open files and mappings of other processes.
        if (mayTraceAll() && (has(CAP_DAC_READ_SEARCH) || has(CAP_DAC_OVERRIDE))) {
            findings.add(Finding.ok("attaching to VMMs", "this user may attach to all processes (CAP_SYS_PTRACE)"));
            return;
        }
        String scope = host.text("/proc/sys/kernel/yama/ptrace_scope").orElse("0");
        findings.add(
                scope.equals("0")
                        ? Finding.ok(
                                "attaching to VMMs",
                                "this user may attach to its own processes (kernel.yama.ptrace_scope is 0)")
                        : Finding.advice(
                                "attaching to VMMs",
                                "not allowed: kernel.yama.ptrace_scope is " + scope
                                        + ", and this user does not have both CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
                                "run exomem as root, or with both CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as QEMU's user with \"sysctl"
                                        + " kernel.yama.ptrace_scope=0\"",
                                "migrations track the guest's writes instead of comparing all memory;"
                                        + " violation=prevent, vmm-active, restore on demand and clones work"));
    }

    private void userfaultfd() {
        String topic = "userfaultfd";
        if (mayTraceAll()) {
            findings.add(Finding.ok(topic, "allowed (CAP_SYS_PTRACE)"));
        } else if (host.text("/proc/sys/vm/unprivileged_userfaultfd")
                .orElse("0")
                .equals("1")) {
            findings.add(Finding.ok(topic, "allowed for all users (vm.unprivileged_userfaultfd is 1)"));
        } else if (host.mayReadAndWrite("/dev/userfaultfd")) {
            findings.add(Finding.ok(topic, "allowed for this user (/dev/userfaultfd)"));
        } else {
            findings.add(Finding.advice(
                    topic,
                    "this user may not create a userfaultfd that also handles page faults of the kernel",
                    "run \"sysctl vm.unprivileged_userfaultfd=1\", or give the users of exomem and of QEMU"
                            + " access to /dev/userfaultfd",
                    "memory on demand (restore, clones), QEMU's post-copy, and violation=prevent work for a"
                            + " VMM that does not run as root"));
        }
    }

    private void descriptors() {
        Optional<String> limit = host.line("/proc/self/limits", "Max open files");
        limit.map(text -> text.split(" +", -1)).ifPresent(words -> {
            // The JVM raises its limit to the hard one.
            String hard = words.length > 1 ? words[1] : words[0];
            if (!hard.matches("[0-9]{1,18}")) {
                findings.add(Finding.ok("descriptors", "unlimited"));
                return;
            }
            long most = Long.parseLong(hard);
            long vms = Math.max(0, (most - OWN_DESCRIPTORS) / DESCRIPTORS_OF_A_VM);
            String found = most + " open files, enough for " + vms + " VMs with a balloon and a memory device each";
            findings.add(
                    vms >= MANY_VMS
                            ? Finding.ok("descriptors", found)
                            : Finding.advice(
                                    "descriptors",
                                    found,
                                    "set LimitNOFILE=" + USUAL_DESCRIPTORS
                                            + " in exomem's systemd unit, or run \"ulimit -Hn " + USUAL_DESCRIPTORS
                                            + "\" before exomem starts",
                                    "enough for " + (USUAL_DESCRIPTORS - OWN_DESCRIPTORS) / DESCRIPTORS_OF_A_VM
                                            + " VMs"));
        });
    }

    private void mappings() {
        host.text("/proc/sys/vm/max_map_count")
                .filter(text -> text.matches("[0-9]{1,18}"))
                .map(Long::parseLong)
                .ifPresent(most -> findings.add(
                        most >= USUAL_MAPPINGS
                                ? Finding.ok("mappings", "a process may have " + most + " mappings (vm.max_map_count)")
                                : Finding.advice(
                                        "mappings",
                                        "a process may have only " + most + " mappings (vm.max_map_count)",
                                        "run \"sysctl vm.max_map_count=" + USUAL_MAPPINGS + "\" (the kernel's default)",
                                        "each guarded range, and each range of memory on demand, splits a"
                                                + " mapping of the VMM; at the limit a split fails")));
    }

    private void hugePages() {
        host.text("/sys/kernel/mm/transparent_hugepage/shmem_enabled").ifPresent(choices -> {
            String topic = "huge pages";
            Matcher chosen = Pattern.compile("\\[([a-z_]+)]").matcher(choices);
            String word = chosen.find() ? chosen.group(1) : choices;
            String reserved = host.line("/proc/meminfo", "HugePages_Total:").orElse("0");
            String found = "shared memory: " + word + "; reserved: " + reserved;
            findings.add(
                    word.equals("never") || word.equals("deny")
                            ? Finding.advice(
                                    topic,
                                    found,
                                    "run \"echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled\", or use"
                                            + " reserved huge pages for the VM (memory-backend-memfd,hugetlb=on)",
                                    "a guest's memory is shared memory; huge pages reduce its TLB misses; exomem then"
                                            + " gives back whole huge pages")
                            : Finding.ok(topic, found));
        });
    }

    private void sharedMemory() {
        Optional<Long> ram = memoryTotal();
        host.room("/dev/shm").ifPresent(room -> {
            String topic = "/dev/shm";
            String found = ByteSize.format(room.left()) + " of " + ByteSize.format(room.size()) + " are free"
                    + ram.map(of -> ", RAM is " + ByteSize.format(of)).orElse("");
            String change = "run \"mount -o remount,size=90% /dev/shm\" and set the same size in /etc/fstab; or use"
                    + " memory-backend-memfd, which does not count there";
            if (room.left() < LEAST_ROOM) {
                findings.add(Finding.problem(
                        topic,
                        found,
                        change,
                        "if /dev/shm has no space for a page that a guest touches, the guest's VMM is"
                                + " killed (SIGBUS)"));
            } else if (ram.isPresent() && room.size() < ram.get() / 4 * 3) {
                findings.add(Finding.advice(
                        topic,
                        found,
                        change,
                        "guests with memory files there (mem-path=/dev/shm/...) can use all RAM"));
            } else {
                findings.add(Finding.ok(topic, found));
            }
        });
    }

    private Optional<Long> memoryTotal() {
        return host.line("/proc/meminfo", "MemTotal:")
                .map(text -> text.replaceAll("[^0-9]", ""))
                .filter(text -> !text.isEmpty() && text.length() < 16)
                .map(text -> Long.parseLong(text) * KIB);
    }

    private void overcommit() {
        host.text("/proc/sys/vm/overcommit_memory")
                .ifPresent(mode -> findings.add(
                        mode.equals("2")
                                ? Finding.advice(
                                        "overcommit",
                                        "memory is counted when it is allocated, not when it is used"
                                                + " (vm.overcommit_memory is 2)",
                                        "run \"sysctl vm.overcommit_memory=0\"",
                                        "all VMs together can have more memory than the host, which is the"
                                                + " purpose of balloons")
                                : Finding.ok("overcommit", "vm.overcommit_memory is " + mode)));
    }

    private void memoryLimit() {
        Optional<String> group = host.text("/proc/self/cgroup")
                .flatMap(text -> text.lines()
                        .filter(line -> line.startsWith("0::"))
                        .findFirst()
                        .map(line -> line.substring(3)));
        group.flatMap(path -> host.text("/sys/fs/cgroup" + (path.equals("/") ? "" : path) + "/memory.max"))
                .filter(most -> most.matches("[0-9]{1,18}"))
                .ifPresent(most -> findings.add(Finding.advice(
                        "memory limit",
                        "the control group of this shell is limited to " + ByteSize.format(Long.parseLong(most)),
                        "start exomem where memory.max is max, or set MemoryMax=infinity in its unit",
                        "pages of guest memory that exomem touches first are charged to its control group")));
    }

    private void kvm() {
        findings.add(
                host.mayReadAndWrite("/dev/kvm")
                        ? Finding.ok("KVM", "this user may use it")
                        : Finding.advice(
                                "KVM",
                                host.exists("/dev/kvm")
                                        ? "this user may not use /dev/kvm"
                                        : "there is no /dev/kvm; guests are emulated",
                                "load kvm_intel or kvm_amd, and add QEMU's user to the group kvm",
                                "guests run at native speed"));
    }

    private void qemu() {
        String topic = "QEMU";
        Optional<String> line = host.firstLineOf(List.of(qemu, "--version"));
        Matcher version = Pattern.compile("version ([0-9.]+)").matcher(line.orElse(""));
        if (!version.find()) {
            findings.add(Finding.advice(
                    topic,
                    "\"" + qemu + "\" "
                            + line.map(said -> "is not QEMU: it prints \"" + said + "\"")
                                    .orElse("can't be run or fails: check that the program exists"),
                    "install QEMU 10.2 or newer, or name the program with --qemu; other VMMs do not need QEMU",
                    "QEMU can attach to the devices"));
            return;
        }
        String number = version.group(1);
        if (!isAtLeast(number, QEMU)) {
            findings.add(Finding.problem(
                    topic,
                    number + " has no generic vhost-user device (vhost-user-test-device-pci)",
                    "use QEMU 10.2 or newer",
                    "QEMU can attach to the devices"));
            return;
        }
        findings.add(Finding.advice(
                topic,
                number
                        + String.format(
                                Locale.ROOT,
                                ": its generic vhost-user device does not reconnect, and x-query-virtio-status"
                                        + " crashes QEMU"),
                "do not use x-query-virtio-status (\"info virtio-status\"); run \"exomem detach\" before exomem ends;"
                        + " docs/qemu.md has a patch of one line",
                "the VM keeps its devices, and QEMU does not crash"));
    }
}
