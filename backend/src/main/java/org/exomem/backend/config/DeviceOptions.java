package org.exomem.backend.config;

import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.exomem.linux.SocketAccess;
import org.jspecify.annotations.Nullable;

/** Collects the options of one device. They are the same on the command line, in a file and on the control socket. */
abstract class DeviceOptions<C> {
    static final DeviceOption VM = new DeviceOption(
            "vm",
            "NAME",
            "the VM's name on the control socket; a VM may have a balloon and several memory devices",
            DeviceOption.REQUIRED);
    static final DeviceOption SOCKET = new DeviceOption(
            "socket", "PATH", "the path on which exomem listens for the VMM", "required, unless fd is given");
    static final DeviceOption CONNECT = DeviceOption.onOff(
            "connect", "connects to the socket, on which the VMM listens, instead of listening", false);
    static final DeviceOption FD = new DeviceOption(
            "fd",
            "N|NAME",
            "uses an inherited Unix socket instead, listening or connected: its number, or the name that"
                    + " systemd gave it",
            "none");
    static final DeviceOption SOCKET_MODE = new DeviceOption(
            "socket-mode",
            "MODE",
            "the permissions of the socket, in octal: a user who may write to it may connect",
            "0600; 0660 with socket-group");
    static final DeviceOption SOCKET_GROUP = new DeviceOption(
            "socket-group", "GROUP", "the group of the socket, by name or number, such as kvm", "the process's own");
    static final DeviceOption VMM_QMP = new DeviceOption(
            "vmm-qmp", "PATH", "the VMM's QMP socket, for \"exomem migrate\" and \"exomem detach\"", "none");

    static final DeviceOption VMM_WRITES = new DeviceOption(
            "vmm-writes",
            "auto|watch|compare",
            "how a migration learns which pages the guest writes; auto: from the VMM's log, else by"
                    + " attaching to the VMM and watching its memory, else by comparing; watch: by watching only;"
                    + " compare: by comparing only",
            WritesChoice.AUTO.word());

    static final DeviceOption VMM_ACTIVE = new DeviceOption(
            "vmm-active",
            "SECONDS",
            "seconds between two estimates of how much memory the guest writes, for \"exomem vms --active\";"
                    + " exomem attaches to the VMM for this and needs vmm-qmp; 0 for none, 86400 at most",
            "0");

    private static final int MAX_VMM_ACTIVE = 86_400;

    /** The mode of a socket if a group is given and no mode. */
    private static final int OWNER_AND_GROUP = 0660;

    private final String kind;
    private final List<DeviceOption> known;
    private final Set<String> seen = new LinkedHashSet<>();
    private @Nullable String vm;
    private @Nullable Path socket;
    private @Nullable Integer fd;
    private @Nullable Integer socketMode;
    private @Nullable GroupPrincipal socketGroup;
    private boolean connect;
    private @Nullable Path vmmQmp;
    private WritesChoice vmmWrites = WritesChoice.AUTO;
    private int vmmActive;

    /**
     * @param kind of device, with its article, for messages
     * @param known all options, in the order for messages
     */
    DeviceOptions(String kind, List<DeviceOption> known) {
        this.kind = kind;
        this.known = known;
    }

    C parse(String text) throws ConfigException {
        for (OptionList.Option option : OptionList.parse(text)) {
            set(option.key(), option.value());
        }
        return toConfig();
    }

    /** True if the value of an option is a path. In a file, it is relative to the file's folder. */
    static boolean isPath(String key) {
        return key.equals("socket") || key.equals("vmm-qmp");
    }

    final void set(String key, String value) throws ConfigException {
        List<String> names = known.stream().map(DeviceOption::name).toList();
        if (!names.contains(key)) {
            throw new ConfigException(
                    "\"" + key + "\" is not an option of " + kind + "; the options are " + String.join(", ", names));
        }
        if (!seen.add(key)) {
            throw new ConfigException("\"" + key + "\" is given twice");
        }
        try {
            switch (key) {
                case "vm" -> vm = Value.name(value);
                case "socket" -> socket = Value.path(value);
                case "fd" -> fd = Value.inherited(value);
                case "connect" -> connect = Value.onOff(value);
                case "socket-mode" -> socketMode = Value.mode(value);
                case "socket-group" -> socketGroup = Value.group(value);
                case "vmm-qmp" -> vmmQmp = Value.path(value);
                case "vmm-writes" -> vmmWrites = WritesChoice.parse(value);
                case "vmm-active" -> vmmActive = Value.number(value, 0, MAX_VMM_ACTIVE);
                default -> setOwn(key, value);
            }
        } catch (ConfigException e) {
            throw e.at(key);
        }
    }

    /**
     * Sets an option that only this kind of device has.
     *
     * @throws ConfigException if there is no such option, or its value is wrong
     */
    abstract void setOwn(String key, String value) throws ConfigException;

    /**
     * Returns the configuration.
     *
     * @throws ConfigException if the options are not complete or not consistent
     */
    abstract C toConfig() throws ConfigException;

    final String vm() throws ConfigException {
        if (vm == null) {
            throw new ConfigException("vm is missing: the VM's name on the control socket");
        }
        return vm;
    }

    /** The VMM's QMP socket, if it is given. */
    final Optional<Path> vmmQmp() {
        return Optional.ofNullable(vmmQmp);
    }

    /** How migrations find the pages that the guest writes. */
    final WritesChoice vmmWrites() {
        return vmmWrites;
    }

    /** Seconds between two scans of the guest's writes. */
    final int vmmActive() throws ConfigException {
        if (vmmActive > 0 && vmmQmp == null) {
            throw new ConfigException("vmm-active needs vmm-qmp, the path of the VMM's QMP socket");
        }
        return vmmActive;
    }

    final Attachment attachment() throws ConfigException {
        if (socket != null && fd != null) {
            throw new ConfigException("socket and fd exclude each other");
        }
        if ((socketMode != null || socketGroup != null) && (socket == null || connect)) {
            throw new ConfigException(
                    "socket-mode and socket-group are only for a socket on which exomem listens (socket=PATH)");
        }
        if (socket != null) {
            return connect ? new Attachment.Connect(socket) : new Attachment.Listen(socket, access());
        }
        if (connect) {
            throw new ConfigException("connect=on needs socket, the path on which the VMM listens");
        }
        if (fd != null) {
            return new Attachment.Inherited(fd);
        }
        throw new ConfigException("socket (or fd) is missing: where the VMM attaches");
    }

    private SocketAccess access() {
        int mode = socketMode != null
                ? socketMode
                : socketGroup != null ? OWNER_AND_GROUP : SocketAccess.OWNER_ONLY.mode();
        return new SocketAccess(mode, socketGroup);
    }

    /** Adds the values of the options that all devices have, by option name. */
    static void putCommon(Map<String, Object> values, DeviceConfig device) {
        Attachment attachment = device.attachment();
        values.put(VM.name(), device.vm());
        values.put(SOCKET.name(), attachment.path());
        values.put(CONNECT.name(), attachment instanceof Attachment.Connect);
        values.put(FD.name(), attachment instanceof Attachment.Inherited inherited ? inherited.fd() : -1);
        SocketAccess access =
                attachment instanceof Attachment.Listen listen ? listen.access() : SocketAccess.OWNER_ONLY;
        values.put(SOCKET_MODE.name(), access.mode());
        values.put(SOCKET_GROUP.name(), Optional.ofNullable(access.group()));
        values.put(VMM_QMP.name(), device.vmmQmp());
        values.put(VMM_WRITES.name(), device.vmmWrites());
        values.put(VMM_ACTIVE.name(), device.vmmActive());
    }
}
