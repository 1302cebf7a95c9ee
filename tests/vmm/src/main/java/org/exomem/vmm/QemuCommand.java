package org.exomem.vmm;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The command line of a guest: a q35 machine whose RAM is one shared memfd, with a free root port for a device that is
 * plugged in while it runs. All sizes are in bytes.
 *
 * <p>The regions of memory devices are contiguous from guest address {@link #REGIONS} on. QEMU's generic device has no
 * memory of its own. So the machine has all of it as RAM, and the kernel boots with less.
 */
public final class QemuCommand {

    /** The id of the root port for devices that are plugged in and out. */
    public static final String PORT = "port0";

    /** The guest address of the first memory device's region. */
    public static final long REGIONS = 4L << 30;

    private static final long MIB = 1L << 20;

    private final GuestImage image;
    private final List<Long> regions = new ArrayList<>();
    private final List<String> devices = new ArrayList<>();
    private final List<String> drivers = new ArrayList<>();
    /**
     * At its start the kernel counts ticks of the timer, and panics if a busy host delivers none. This argument
     * prevents the check.
     */
    private final List<String> kernelArguments =
            new ArrayList<>(List.of("console=ttyS0", "quiet", "panic=-1", "no_timer_check"));

    private long ram = 2048 * MIB;
    private boolean rebootable;
    private boolean suspendable;
    private boolean nodes;
    private @Nullable Path ramFile;
    private boolean preallocated;
    private boolean shared = true;
    private @Nullable Path listeningQmp;
    private boolean incoming;
    private @Nullable List<String> recipe;

    private QemuCommand(GuestImage image) {
        this.image = image;
    }

    public static QemuCommand of(GuestImage image) {
        return new QemuCommand(image);
    }

    /** Sets the size of the RAM that the guest boots with, a multiple of 1 MiB; the default is 2 GiB. */
    public QemuCommand ram(long bytes) {
        if (bytes <= 0 || bytes % MIB != 0) {
            throw new IllegalArgumentException("RAM of " + bytes + " bytes is not a multiple of 1 MiB");
        }
        ram = bytes;
        return this;
    }

    public long ram() {
        return ram;
    }

    /** Makes the guest load this driver at boot, such as {@code virtio_balloon}. */
    public QemuCommand driver(String module) {
        drivers.add(module);
        return this;
    }

    /** Adds a word to the kernel's command line. */
    public QemuCommand kernelArgument(String word) {
        kernelArguments.add(word);
        return this;
    }

    /** Lets the guest start again after a reset. Otherwise a reset, and so a guest's panic, ends QEMU. */
    public QemuCommand rebootable() {
        rebootable = true;
        return this;
    }

    /** Adds QEMU's own balloon, served inside QEMU, with further properties such as {@code name=value}. */
    public QemuCommand ownBalloon(String... properties) {
        devices.add("-device");
        devices.add(commas("virtio-balloon-pci,id=balloon0,bus=" + PORT, properties));
        return this;
    }

    /** Adds a balloon that the vhost-user back-end listening on {@code socket} serves. */
    public QemuCommand vhostUserBalloon(Path socket) {
        return vhostUserBalloon(socket, VhostUserBalloon.QUEUES);
    }

    /**
     * Adds such a balloon with that many queues, and with further properties of the device, such as {@code name=value}.
     */
    QemuCommand vhostUserBalloon(Path socket, int queues, String... properties) {
        devices.addAll(List.of(
                "-chardev",
                "socket,id=" + VhostUserBalloon.CHARDEV + ",path=" + socket,
                "-device",
                commas(
                        VhostUserBalloon.DEVICE + ",id=balloon0,bus=" + PORT + ",chardev=" + VhostUserBalloon.CHARDEV
                                + "," + VhostUserBalloon.PROPERTIES + ",num_vqs=" + queues,
                        properties)));
        return this;
    }

    /**
     * Adds a memory device, on a root port of its own, that the vhost-user back-end listening on {@code socket} serves,
     * and the memory of its region.
     */
    public QemuCommand vhostUserMemory(Path socket, long regionSize) {
        int number = regions.size();
        String port = addMemoryPort(number);
        return vhostUserMemory(socket, regionSize, "id=mem" + number + ",bus=" + port);
    }

    /** Adds the root port and the region of a memory device that is plugged in later. */
    public QemuCommand memoryPort(long regionSize) {
        addMemoryPort(regions.size());
        regions.add(regionSize);
        return this;
    }

    private String addMemoryPort(int number) {
        String port = "mem-port" + number;
        arguments("-device", "pcie-root-port,id=" + port + ",chassis=" + (2 + number));
        return port;
    }

    /** Adds such a memory device, with an id and a bus such as {@code id=mem0,bus=port0}, or without. */
    public QemuCommand vhostUserMemory(Path socket, long regionSize, String idAndBus) {
        String chardev = "mem" + regions.size() + "-socket";
        regions.add(regionSize);
        return arguments(
                "-chardev",
                "socket,id=" + chardev + ",path=" + socket,
                "-device",
                commas(
                        VhostUserBalloon.DEVICE + ",chardev=" + chardev
                                + ",virtio-id=24,num_vqs=1,vq_size=128,config_size=56",
                        idAndBus));
    }

    /**
     * Makes a NUMA node of each memory device's region, from node 1 on, with a memfd of its own. By default all RAM is
     * one memfd, and the machine has no nodes.
     */
    public QemuCommand nodes() {
        nodes = true;
        return this;
    }

    /** Puts the RAM into a file with that name instead of a memfd. QEMU creates the file if it is missing. */
    public QemuCommand ramFile(Path file) {
        ramFile = file;
        return this;
    }

    @Nullable
    Path ramFile() {
        return ramFile;
    }

    /** Makes QEMU touch all of the RAM before the guest boots. */
    public QemuCommand preallocated() {
        preallocated = true;
        return this;
    }

    /** Makes the RAM private to QEMU, as for users without vhost-user devices. */
    public QemuCommand privateMemory() {
        shared = false;
        return this;
    }

    /** Makes QEMU also listen for QMP on a socket. */
    public QemuCommand listeningQmp(Path socket) {
        listeningQmp = socket;
        return this;
    }

    /** Makes QEMU wait for an incoming migration. */
    public QemuCommand incoming() {
        incoming = true;
        return this;
    }

    boolean isIncoming() {
        return incoming;
    }

    /** Adds arguments unchanged. */
    public QemuCommand arguments(String... arguments) {
        devices.addAll(List.of(arguments));
        return this;
    }

    /**
     * The guest can suspend to RAM. It boots more slowly, from a packed kernel: QEMU loads an unpacked one again when the guest
     * wakes up, over the memory of the kernel that runs.
     */
    public QemuCommand suspendable() {
        suspendable = true;
        return this;
    }

    /**
     * Returns the whole command line. QEMU connects to the listening sockets {@code qmp} and {@code shell}, and ends
     * with this program.
     */
    List<String> words(Path qmp, Path shell, Path console) {
        List<String> words = machine(console);
        words.addAll(List.of("-run-with", "exit-with-parent=on"));
        words.addAll(List.of("-chardev", "socket,id=shell,path=" + shell, "-serial", "chardev:shell"));
        words.addAll(List.of("-qmp", "unix:" + qmp + ",server=off"));
        words.addAll(devices);
        return words;
    }

    /**
     * Returns the whole command line of a QEMU as operators start one: it listens on its sockets, and outlives this
     * program.
     *
     * @param prefix of the names of its files
     */
    public List<String> listeningWords(Path prefix) {
        return ownWords(Path.of(prefix + ".shell"), Path.of(prefix + ".pid"), Path.of(prefix + ".console"));
    }

    private List<String> ownWords(Path shell, Path pidFile, Path console) {
        List<String> words = machine(console);
        words.addAll(List.of(
                "-chardev", "socket,id=shell,path=" + shell + ",server=on,wait=off", "-serial", "chardev:shell"));
        words.addAll(List.of("-pidfile", pidFile.toString(), "-daemonize"));
        words.addAll(devices);
        return words;
    }

    /** Takes the machine, the RAM, the devices of exomem and the QMP socket from these words, instead of its own. */
    public QemuCommand recipe(List<String> words) {
        recipe = List.copyOf(words);
        return this;
    }

    private List<String> machine(Path console) {
        List<String> words = new ArrayList<>(image.qemu());
        if (recipe == null) {
            addMachine(words);
        } else {
            words.addAll(recipe);
        }
        // Not KVM, even if it is available: its timing differs, and nested KVM has failed in the middle of a boot.
        words.addAll(List.of("-accel", "tcg"));
        // Without "rep movsb/stosb" the kernel clears pages by words, which is four times as fast under TCG.
        words.addAll(List.of("-cpu", "max,-erms,-fsrm"));
        words.addAll(List.of("-nodefaults", "-no-user-config", "-display", "none"));
        words.addAll(List.of("-serial", "file:" + console));
        words.addAll(List.of("-kernel", (suspendable ? image.packedKernel() : image.kernel()).toString()));
        if (image.initramfs() != null) {
            words.addAll(List.of("-initrd", image.initramfs().toString()));
        }
        words.addAll(List.of(
                "-append",
                String.join(" ", kernelArguments) + (regions.isEmpty() ? "" : " mem=" + ram / MIB + "M")
                        + " exomem.load=" + String.join(",", drivers)));
        words.addAll(List.of("-device", "pcie-root-port,id=" + PORT + ",chassis=1"));
        if (!rebootable) {
            words.add("-no-reboot");
        }
        if (listeningQmp != null) {
            words.addAll(List.of("-qmp", "unix:" + listeningQmp + ",server=on,wait=off"));
        }
        if (incoming) {
            words.addAll(List.of("-incoming", "defer"));
        }
        return words;
    }

    private void addMachine(List<String> words) {
        long all = ram + regions.stream().mapToLong(Long::longValue).sum();
        // All memory that the guest boots with is below 4 GiB, so that the regions begin there.
        String split = regions.isEmpty() ? "" : ",max-ram-below-4g=" + ram;
        words.addAll(List.of("-machine", "q35" + split + (nodes ? "" : ",memory-backend=ram")));
        words.addAll(List.of("-m", all / MIB + "M"));
        if (nodes) {
            addNode(words, 0, ram);
            for (int node = 1; node <= regions.size(); node++) {
                addNode(words, node, regions.get(node - 1));
            }
        } else {
            addMemory(words, "ram", all);
        }
    }

    private void addNode(List<String> words, int node, long bytes) {
        addMemory(words, "ram" + node, bytes);
        words.addAll(List.of("-numa", "node,nodeid=" + node + ",memdev=ram" + node));
    }

    private void addMemory(List<String> words, String id, long bytes) {
        String file = ramFile == null ? "memory-backend-memfd" : "memory-backend-file,mem-path=" + ramFile;
        words.addAll(List.of(
                "-object",
                (shared ? file + ",share=on" : "memory-backend-ram") + ",id=" + id + ",size=" + bytes
                        + (preallocated ? ",prealloc=on" : "")));
    }

    private static String commas(String first, String... others) {
        return others.length == 0 || others[0].isEmpty() ? first : first + "," + String.join(",", others);
    }
}
