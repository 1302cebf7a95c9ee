package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.linux.HostRam;
import org.exomem.mem.MemoryRegionPlan;

/**
 * The configuration of {@code exomem serve}.
 *
 * @param control the path of the control socket, if there is one
 * @param balloons each with a VM, a socket or a descriptor of its own
 * @param mems memory devices, each with a socket or a descriptor of its own
 * @param state the directory in which devices keep their state, if there is one
 * @param maxMemory the most bytes of a VM's memory, if a limit is given
 * @param metrics where metrics are served
 * @param ui where the page for browsers is served
 */
public record ServeConfig(
        Optional<Path> control,
        List<BalloonConfig> balloons,
        List<MemoryConfig> mems,
        Optional<Path> state,
        OptionalLong maxMemory,
        HttpConfig metrics,
        HttpConfig ui) {
    /** An empty configuration. */
    public static final ServeConfig NOTHING = new ServeConfig(Optional.empty(), List.of());

    /** The default limit of a VM's memory, as a multiple of the host's RAM. */
    public static final int DEFAULT_MEMORY_FACTOR = 4;

    private static final String DEFAULT_LIMIT = DEFAULT_MEMORY_FACTOR + " times the RAM of this host";

    public ServeConfig {
        balloons = List.copyOf(balloons);
        mems = List.copyOf(mems);
    }

    /** A configuration of balloons only. */
    public ServeConfig(Optional<Path> control, List<BalloonConfig> balloons) {
        this(control, balloons, List.of(), Optional.empty());
    }

    /** A configuration with the default limit of memory. */
    public ServeConfig(
            Optional<Path> control, List<BalloonConfig> balloons, List<MemoryConfig> mems, Optional<Path> state) {
        this(control, balloons, mems, state, OptionalLong.empty());
    }

    /** A configuration without metrics and page. */
    public ServeConfig(
            Optional<Path> control,
            List<BalloonConfig> balloons,
            List<MemoryConfig> mems,
            Optional<Path> state,
            OptionalLong maxMemory) {
        this(control, balloons, mems, state, maxMemory, HttpConfig.NOTHING, HttpConfig.NOTHING);
    }

    /**
     * Converts the path of a command line option to an absolute path.
     *
     * @throws ConfigException if it is empty or no path; the message names the option
     */
    public static Path path(String option, String value) throws ConfigException {
        try {
            return Value.path(value);
        } catch (ConfigException e) {
            throw e.at(option);
        }
    }

    /** The options of {@code --balloon}, in the order for messages. */
    public static List<DeviceOption> balloonOptions() {
        return BalloonDeviceOptions.ALL;
    }

    /** The options of {@code --mem}, in the order for messages. */
    public static List<DeviceOption> memoryOptions() {
        return MemoryDeviceOptions.ALL;
    }

    /**
     * Parses the value of {@code --max-memory}; returns bytes.
     *
     * @throws ConfigException if it is no size, or too small for a VM
     */
    public static long maxMemory(String value) throws ConfigException {
        try {
            return Value.logicalSize(value);
        } catch (ConfigException e) {
            throw e.at("max-memory");
        }
    }

    /** The most bytes of a VM's memory: {@link #maxMemory}, or four times the host's RAM. */
    public long memoryLimit() {
        return maxMemory.orElseGet(() -> DEFAULT_MEMORY_FACTOR * HostRam.bytes());
    }

    /** All devices, the balloons first. */
    public List<DeviceConfig> devices() {
        List<DeviceConfig> devices = new ArrayList<>(balloons);
        devices.addAll(mems);
        return List.copyOf(devices);
    }

    /**
     * Parses the value of a {@code --balloon} option.
     *
     * @throws ConfigException if it is wrong
     */
    public static BalloonConfig balloon(String option) throws ConfigException {
        try {
            return new BalloonDeviceOptions().parse(option);
        } catch (ConfigException e) {
            throw e.at("--balloon " + option);
        }
    }

    /**
     * Parses the value of a {@code --mem} option.
     *
     * @throws ConfigException if it is wrong
     */
    public static MemoryConfig mem(String option) throws ConfigException {
        try {
            return new MemoryDeviceOptions().parse(option);
        } catch (ConfigException e) {
            throw e.at("--mem " + option);
        }
    }

    /**
     * Merges two configurations: the devices of both, these first. The other's control socket, directory for state and limit
     * override this one's.
     */
    public ServeConfig and(ServeConfig other) {
        List<BalloonConfig> allBalloons = new ArrayList<>(balloons);
        allBalloons.addAll(other.balloons);
        List<MemoryConfig> allMems = new ArrayList<>(mems);
        allMems.addAll(other.mems);
        return new ServeConfig(
                other.control.or(() -> control),
                allBalloons,
                allMems,
                other.state.or(() -> state),
                other.maxMemory.isPresent() ? other.maxMemory : maxMemory,
                metrics.and(other.metrics),
                ui.and(other.ui));
    }

    /** Returns this configuration with another control socket, or with none. */
    public ServeConfig withControl(Optional<Path> path) {
        return new ServeConfig(path, balloons, mems, state, maxMemory, metrics, ui);
    }

    /** Returns this configuration with another limit of memory, or with the default. */
    public ServeConfig withMaxMemory(OptionalLong bytes) {
        return new ServeConfig(control, balloons, mems, state, bytes, metrics, ui);
    }

    /** Returns this configuration with other addresses for metrics. */
    public ServeConfig withMetrics(HttpConfig there) {
        return new ServeConfig(control, balloons, mems, state, maxMemory, there, ui);
    }

    /** Returns this configuration with other addresses for the page. */
    public ServeConfig withUi(HttpConfig there) {
        return new ServeConfig(control, balloons, mems, state, maxMemory, metrics, there);
    }

    /** Returns this configuration with other devices. */
    public ServeConfig withDevices(List<BalloonConfig> others, List<MemoryConfig> otherMems) {
        return new ServeConfig(control, others, otherMems, state, maxMemory, metrics, ui);
    }

    /** The devices grouped by VM, in the order in which the VMs first appear. */
    public List<VmConfig> vms() {
        Map<String, VmConfig> vms = new LinkedHashMap<>();
        for (BalloonConfig balloon : balloons) {
            vms.put(balloon.vm(), new VmConfig(balloon.vm(), Optional.of(balloon), List.of()));
        }
        for (MemoryConfig mem : mems) {
            VmConfig before = vms.getOrDefault(mem.vm(), new VmConfig(mem.vm(), Optional.empty(), List.of()));
            List<MemoryConfig> memory = new ArrayList<>(before.memory());
            memory.add(mem);
            vms.put(mem.vm(), new VmConfig(mem.vm(), before.balloon(), memory));
        }
        return List.copyOf(vms.values());
    }

    /**
     * Checks that there is a device, and that the devices are {@link #consistent}; returns this.
     *
     * @throws ConfigException if not
     */
    public ServeConfig checked() throws ConfigException {
        if (balloons.isEmpty() && mems.isEmpty()) {
            throw new ConfigException(
                    "nothing to serve: name a balloon, such as --balloon vm=NAME,socket=PATH, or a memory device"
                            + " (--mem)");
        }
        return consistent();
    }

    /**
     * Checks the devices against each other; returns this.
     *
     * @throws ConfigException if two devices are not consistent, or a memory device is larger than {@link #memoryLimit}
     */
    public ServeConfig consistent() throws ConfigException {
        Map<Object, String> users = new HashMap<>();
        control.ifPresent(path -> users.put(path.toAbsolutePath(), "the control socket"));
        metrics.check("metrics", "--metrics-tls DIR, metrics-tls in the file");
        claim(users, metrics, "the metrics");
        ui.check("the page", "--ui-tls DIR, ui-tls in the file");
        claim(users, ui, "the page");
        if (!ui.addresses().isEmpty() && control.isEmpty()) {
            throw new ConfigException("ui: the page needs a control socket");
        }
        Map<String, BalloonConfig> named = new HashMap<>();
        for (BalloonConfig balloon : balloons) {
            if (named.put(balloon.vm(), balloon) != null) {
                throw new ConfigException("VM \"" + balloon.vm() + "\" has two balloons; only one is allowed");
            }
            claim(users, balloon.attachment(), "VM \"" + balloon.vm() + "\"");
        }
        for (int i = 0; i < mems.size(); i++) {
            MemoryConfig mem = mems.get(i);
            checkSize(mem);
            for (MemoryConfig other : mems.subList(0, i)) {
                checkTogether(other, mem);
            }
            claim(users, mem.attachment(), "VM \"" + mem.vm() + "\" with its memory device \"" + mem.id() + "\"");
        }
        return this;
    }

    private static void claim(Map<Object, String> users, HttpConfig http, String user) throws ConfigException {
        for (HttpAddress address : http.addresses()) {
            switch (address) {
                case HttpAddress.Local local -> claim(users, local.socket(), user, address);
                // Port 0 means any free port.
                case HttpAddress.Tcp tcp when tcp.port() != 0 -> claim(users, tcp, user, address);
                case HttpAddress.Tcp _ -> {}
            }
        }
    }

    private static void claim(Map<Object, String> users, Attachment attachment, String user) throws ConfigException {
        Object place = switch (attachment) {
            case Attachment.Listen listen -> listen.socket();
            case Attachment.Connect connect -> connect.socket();
            case Attachment.Inherited inherited -> inherited.fd();
        };
        claim(users, place, user, attachment);
    }

    private static void claim(Map<Object, String> users, Object place, String user, Object named)
            throws ConfigException {
        String other = users.putIfAbsent(place, user);
        if (other != null) {
            throw new ConfigException(other + " and " + user + " both use " + named);
        }
    }

    private void checkSize(MemoryConfig mem) throws ConfigException {
        if (mem.plan().size() > memoryLimit()) {
            throw new ConfigException(mem.label() + ": a region of "
                    + ByteSize.format(mem.plan().size()) + " is above the limit of " + ByteSize.format(memoryLimit())
                    + (maxMemory.isPresent() ? "" : " (" + DEFAULT_LIMIT + ")")
                    + "; set another limit with --max-memory SIZE (max-memory in the file)");
        }
    }

    private static void checkTogether(MemoryConfig a, MemoryConfig b) throws ConfigException {
        if (!a.vm().equals(b.vm())) {
            return;
        }
        if (a.id().equals(b.id())) {
            throw new ConfigException("VM \"" + a.vm() + "\" has two memory devices \"" + a.id() + "\"");
        }
        if (a.plan().address() < end(b.plan()) && b.plan().address() < end(a.plan())) {
            throw new ConfigException(String.format(
                    "VM \"%s\": the regions of its memory devices \"%s\" (%#x to %#x) and \"%s\" (%#x to %#x) overlap",
                    a.vm(),
                    a.id(),
                    a.plan().address(),
                    end(a.plan()),
                    b.id(),
                    b.plan().address(),
                    end(b.plan())));
        }
    }

    /** Does not overflow, as no region ends above 2^48. */
    private static long end(MemoryRegionPlan plan) {
        return plan.address() + plan.size();
    }
}
