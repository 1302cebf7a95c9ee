package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Collects the words that describe one device; the same words on the command line and in a file. */
abstract class DeviceWords<C> {
    private final String kind;
    private final List<String> known;
    private final Set<String> seen = new LinkedHashSet<>();
    private @Nullable String vm;
    private @Nullable Path socket;
    private @Nullable Integer fd;
    private boolean connect;
    private @Nullable Path vmmQmp;

    /**
     * @param kind of device, with its article, for complaints
     * @param known all words, in the order in which they are told
     */
    DeviceWords(String kind, List<String> known) {
        this.kind = kind;
        this.known = known;
    }

    C parse(String text) throws ConfigException {
        for (OptionList.Option option : OptionList.parse(text)) {
            set(option.key(), option.value());
        }
        return toConfig();
    }

    /** True if the value of a word is a path, which in a file is relative to that. */
    boolean isPath(String key) {
        return key.equals("socket") || key.equals("vmm-qmp");
    }

    final void set(String key, String value) throws ConfigException {
        if (!known.contains(key)) {
            throw new ConfigException(
                    "\"" + key + "\" is not an option of " + kind + "; there are " + String.join(", ", known));
        }
        if (!seen.add(key)) {
            throw new ConfigException("\"" + key + "\" is given twice");
        }
        try {
            switch (key) {
                case "vm" -> vm = Value.name(value);
                case "socket" -> socket = Value.path(value);
                case "fd" -> fd = Value.number(value, 0, Integer.MAX_VALUE);
                case "connect" -> connect = Value.onOff(value);
                case "vmm-qmp" -> vmmQmp = Value.path(value);
                default -> setOwn(key, value);
            }
        } catch (ConfigException e) {
            throw e.at(key);
        }
    }

    /** Takes a word that only this kind of device has. */
    abstract void setOwn(String key, String value) throws ConfigException;

    /** The device, if its words are complete and go together. */
    abstract C toConfig() throws ConfigException;

    final String vm() throws ConfigException {
        if (vm == null) {
            throw new ConfigException("vm is missing: the name by which the control socket knows this VM");
        }
        return vm;
    }

    /** The VMM's QMP socket, if it was named. */
    final Optional<Path> vmmQmp() {
        return Optional.ofNullable(vmmQmp);
    }

    final Attachment attachment() throws ConfigException {
        if (socket != null && fd != null) {
            throw new ConfigException("socket and fd exclude each other");
        }
        if (socket != null) {
            return connect ? new Attachment.Connect(socket) : new Attachment.Listen(socket);
        }
        if (connect) {
            throw new ConfigException("connect=on needs socket, the path on which the front-end listens");
        }
        if (fd != null) {
            return new Attachment.Inherited(fd);
        }
        throw new ConfigException("socket (or fd) is missing: where the front-end attaches");
    }
}
