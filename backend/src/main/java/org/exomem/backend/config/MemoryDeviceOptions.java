package org.exomem.backend.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.exomem.mem.MemoryRegionPlan;
import org.jspecify.annotations.Nullable;

/** The options of one memory device. */
final class MemoryDeviceOptions extends DeviceOptions<MemoryConfig> {
    /** Begins with a letter, so that it can't be mistaken for a size. */
    private static final Pattern ID = Pattern.compile("[A-Za-z][A-Za-z0-9_.:@-]{0,63}");
    /** The name of the VM's balloon in events. */
    private static final String BALLOON = "balloon";

    private static final Pattern HEX = Pattern.compile("0[xX][0-9a-fA-F]{1,16}");
    private static final int DEFAULT_PATROL_SECONDS = 10;
    static final List<DeviceOption> ALL = List.of(
            VM,
            new DeviceOption(
                    "id",
                    "ID",
                    "the device's name, such as m0; unique among the memory devices of a VM",
                    DeviceOption.REQUIRED),
            SOCKET,
            CONNECT,
            FD,
            SOCKET_MODE,
            SOCKET_GROUP,
            new DeviceOption(
                    "addr",
                    "GPA",
                    "where the range starts in guest memory, such as 4G or 0x100000000; the VMM must share memory"
                            + " there",
                    DeviceOption.REQUIRED),
            new DeviceOption(
                    "size",
                    "SIZE",
                    "the size of the range: the most memory that can be plugged",
                    DeviceOption.REQUIRED),
            new DeviceOption(
                    "requested",
                    "SIZE",
                    "how much memory the guest is asked to plug from the start; with --state, the last requested"
                            + " size counts",
                    "0"),
            new DeviceOption(
                    "block",
                    "SIZE",
                    "the unit of plugging and unplugging: a power of two, at least a page of the memory behind it",
                    "the host's transparent huge page"),
            new DeviceOption("node", "N", "the guest's NUMA node to which the device belongs", "none"),
            DeviceOption.onOff("prealloc", "allocates host memory when a block is plugged", false),
            new DeviceOption(
                    "patrol",
                    "SECONDS",
                    "seconds between two checks whether the guest uses unplugged memory; 0 for none, 86400 at most",
                    Integer.toString(DEFAULT_PATROL_SECONDS)),
            new DeviceOption(
                    "violation",
                    "report|punch|stop|prevent",
                    "what exomem does if the guest uses unplugged memory; report: reports it; punch: discards the"
                            + " memory and reports it; stop: also asks the VMM to stop the guest, and needs vmm-qmp; prevent:"
                            + " attaches to the VMM, so that the guest gets no such memory, and needs vmm-qmp",
                    Violation.PUNCH.word()),
            new DeviceOption(
                    "prevent",
                    "zero|stop",
                    "with violation=prevent, what happens to a write to unplugged memory; zero: it goes to a page of"
                            + " zeros that is removed at once; stop: it is held for 100 ms while exomem asks the VMM to stop"
                            + " the guest, and is lost",
                    Prevention.ZERO.word()),
            VMM_QMP,
            VMM_WRITES,
            VMM_ACTIVE);
    private static final int MAX_NODE = 0xffff;
    private static final int MAX_PATROL_SECONDS = 86_400;
    private static final Path HUGE_PAGE_SIZE = Path.of("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");

    private @Nullable String id;
    private @Nullable Long address;
    private @Nullable Long size;
    private @Nullable Long block;
    private long requested;
    private OptionalInt node = OptionalInt.empty();
    private boolean preallocate;
    private int patrolSeconds = DEFAULT_PATROL_SECONDS;
    private Violation violation = Violation.PUNCH;
    private @Nullable Prevention prevention;

    MemoryDeviceOptions() {
        super("a memory device", ALL);
    }

    @Override
    void setOwn(String key, String value) throws ConfigException {
        switch (key) {
            case "id" -> id = id(value);
            case "addr" -> address = address(value);
            case "size" -> size = ByteSize.parse(value);
            case "requested" -> requested = ByteSize.parse(value);
            case "block" -> block = ByteSize.parse(value);
            case "node" -> node = OptionalInt.of(Value.number(value, 0, MAX_NODE));
            case "prealloc" -> preallocate = Value.onOff(value);
            case "patrol" -> patrolSeconds = Value.number(value, 0, MAX_PATROL_SECONDS);
            case "violation" -> violation = Violation.parse(value);
            case "prevent" -> prevention = Prevention.parse(value);
            default -> throw new IllegalStateException(key);
        }
    }

    @Override
    MemoryConfig toConfig() throws ConfigException {
        String vm = vm();
        if (id == null) {
            throw new ConfigException("id is missing: the name of this memory device, such as id=m0");
        }
        if (address == null || size == null) {
            throw new ConfigException((address == null ? "addr" : "size")
                    + " is missing: where the device's region of guest memory starts (addr), and how large it is"
                    + " (size)");
        }
        if ((violation == Violation.STOP || violation == Violation.PREVENT) && vmmQmp().isEmpty()) {
            throw new ConfigException(
                    "violation=" + violation.word() + " needs vmm-qmp, the path of the VMM's QMP socket");
        }
        if (prevention != null && violation != Violation.PREVENT) {
            throw new ConfigException("prevent needs violation=prevent");
        }
        return new MemoryConfig(
                vm,
                id,
                attachment(),
                plan(address, size, block != null ? block : defaultBlock()),
                requested,
                preallocate,
                patrolSeconds,
                violation,
                prevention == null ? Prevention.ZERO : prevention,
                vmmQmp(),
                vmmWrites(),
                vmmActive());
    }

    private MemoryRegionPlan plan(long start, long length, long blockSize) throws ConfigException {
        try {
            MemoryRegionPlan plan = new MemoryRegionPlan(start, length, blockSize, node);
            plan.checkRequested(requested);
            return plan;
        } catch (IllegalArgumentException e) {
            throw new ConfigException(String.valueOf(e.getMessage()));
        }
    }

    /**
     * QEMU's default, as far as it can be known before memory is shared: it does not split the host's transparent huge
     * pages.
     */
    private static long defaultBlock() {
        try {
            long hugePage = Long.parseLong(Files.readString(HUGE_PAGE_SIZE).strip());
            return Math.max(hugePage, MemoryRegionPlan.MIN_BLOCK_SIZE);
        } catch (IOException | NumberFormatException e) {
            // A kernel without transparent huge pages has no such file.
            return MemoryRegionPlan.MIN_BLOCK_SIZE;
        }
    }

    private static String id(String value) throws ConfigException {
        if (!ID.matcher(value).matches() || value.equals(BALLOON)) {
            throw new ConfigException("\"" + value + "\" is not a valid name of a memory device; use a letter and up"
                    + " to 63 letters, digits and . _ : @ - but not \"" + BALLOON + "\"");
        }
        return value;
    }

    private static long address(String value) throws ConfigException {
        if (!HEX.matcher(value).matches()) {
            return ByteSize.parse(value);
        }
        long parsed = Long.parseUnsignedLong(value.substring(2), 16);
        if (parsed < 0) {
            throw new ConfigException("\"" + value + "\" is not a valid guest address");
        }
        return parsed;
    }

    /** The values of all options, by option name. */
    static Map<String, Object> values(MemoryConfig config) {
        Map<String, Object> values = new LinkedHashMap<>();
        putCommon(values, config);
        values.put("id", config.id());
        values.put("addr", config.plan().address());
        values.put("size", config.plan().size());
        values.put("requested", config.requested());
        values.put("block", config.plan().blockSize());
        values.put("node", config.plan().node());
        values.put("prealloc", config.preallocate());
        values.put("patrol", config.patrolSeconds());
        values.put("violation", config.violation());
        values.put("prevent", config.prevention());
        return values;
    }
}
