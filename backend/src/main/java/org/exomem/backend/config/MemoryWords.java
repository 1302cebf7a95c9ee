package org.exomem.backend.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.exomem.mem.MemoryRegionPlan;
import org.jspecify.annotations.Nullable;

/** The words that describe one memory device. */
final class MemoryWords extends DeviceWords<MemoryConfig> {
    /** A letter first: nobody shall take a name for a size. */
    private static final Pattern ID = Pattern.compile("[A-Za-z][A-Za-z0-9_.:@-]{0,63}");
    /** What events call the VM's other device. */
    private static final String BALLOON = "balloon";

    private static final Pattern HEX = Pattern.compile("0[xX][0-9a-fA-F]{1,16}");
    private static final List<String> KNOWN = List.of(
            "vm",
            "id",
            "socket",
            "connect",
            "fd",
            "addr",
            "size",
            "requested",
            "block",
            "node",
            "prealloc",
            "patrol",
            "violation",
            "vmm-qmp");
    private static final int MAX_NODE = 0xffff;
    private static final int DEFAULT_PATROL_SECONDS = 10;
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

    MemoryWords() {
        super("a memory device", KNOWN);
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
        if (violation == Violation.STOP && vmmQmp().isEmpty()) {
            throw new ConfigException("violation=stop needs vmm-qmp, the path of the VMM's QMP socket");
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
                vmmQmp());
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

    /** As QEMU's, as far as it can be known before memory is shared: the host's transparent huge pages stay whole. */
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
            throw new ConfigException("\"" + value + "\" is not a name of a memory device; use a letter and up to 63"
                    + " letters, digits and . _ : @ - but not \"" + BALLOON + "\"");
        }
        return value;
    }

    private static long address(String value) throws ConfigException {
        if (!HEX.matcher(value).matches()) {
            return ByteSize.parse(value);
        }
        long parsed = Long.parseUnsignedLong(value.substring(2), 16);
        if (parsed < 0) {
            throw new ConfigException("\"" + value + "\" is not an address of a guest");
        }
        return parsed;
    }
}
