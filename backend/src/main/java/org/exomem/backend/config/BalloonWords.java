package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;
import org.exomem.balloon.BalloonOptions;
import org.jspecify.annotations.Nullable;

/** Collects the words that describe one balloon; the same words on the command line and in a file. */
final class BalloonWords {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.:@-]{1,64}");
    private static final List<String> KNOWN = List.of(
            "vm",
            "socket",
            "connect",
            "fd",
            "size",
            "stats-interval",
            "discard",
            "deflate-on-oom",
            "must-tell-host",
            "statistics",
            "free-page-hint",
            "page-poison",
            "free-page-reporting");
    private static final int MAX_STATISTICS_INTERVAL = 86_400;

    private final Set<String> seen = new LinkedHashSet<>();
    private @Nullable String vm;
    private @Nullable Path socket;
    private @Nullable Integer fd;
    private boolean connect;
    private OptionalLong size = OptionalLong.empty();
    private int statisticsInterval;
    private boolean mustTellHost = BalloonOptions.defaults().mustTellHost();
    private boolean statistics = BalloonOptions.defaults().statistics();
    private boolean deflateOnOom = BalloonOptions.defaults().deflateOnOom();
    private boolean freePageHinting = BalloonOptions.defaults().freePageHinting();
    private boolean pagePoison = BalloonOptions.defaults().pagePoison();
    private boolean pageReporting = BalloonOptions.defaults().pageReporting();
    private boolean discard = BalloonOptions.defaults().discard();

    static BalloonConfig parse(String text) throws ConfigException {
        BalloonWords words = new BalloonWords();
        for (OptionList.Option option : OptionList.parse(text)) {
            words.set(option.key(), option.value());
        }
        return words.toConfig();
    }

    void set(String key, String value) throws ConfigException {
        if (!KNOWN.contains(key)) {
            throw new ConfigException(
                    "\"" + key + "\" is not an option of a balloon; there are " + String.join(", ", KNOWN));
        }
        if (!seen.add(key)) {
            throw new ConfigException("\"" + key + "\" is given twice");
        }
        try {
            switch (key) {
                case "vm" -> vm = name(value);
                case "socket" -> socket = path(value);
                case "fd" -> fd = number(value, 0, Integer.MAX_VALUE);
                case "connect" -> connect = onOff(value);
                case "size" -> size = OptionalLong.of(logicalSize(value));
                case "stats-interval" -> statisticsInterval = number(value, 0, MAX_STATISTICS_INTERVAL);
                case "discard" -> discard = onOff(value);
                case "deflate-on-oom" -> deflateOnOom = onOff(value);
                case "must-tell-host" -> mustTellHost = onOff(value);
                case "statistics" -> statistics = onOff(value);
                case "free-page-hint" -> freePageHinting = onOff(value);
                case "page-poison" -> pagePoison = onOff(value);
                case "free-page-reporting" -> pageReporting = onOff(value);
                default -> throw new IllegalStateException(key);
            }
        } catch (ConfigException e) {
            throw e.at(key);
        }
    }

    BalloonConfig toConfig() throws ConfigException {
        if (vm == null) {
            throw new ConfigException("vm is missing: the name by which the control socket knows this VM");
        }
        if (statisticsInterval > 0 && !statistics) {
            throw new ConfigException("stats-interval needs statistics=on");
        }
        BalloonOptions options = new BalloonOptions(
                mustTellHost, statistics, deflateOnOom, freePageHinting, pagePoison, pageReporting, discard);
        return new BalloonConfig(vm, attachment(), options, statisticsInterval, size);
    }

    private Attachment attachment() throws ConfigException {
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

    private static String name(String value) throws ConfigException {
        if (!NAME.matcher(value).matches()) {
            throw new ConfigException("\"" + value + "\" is not a name; use 1 to 64 letters, digits and . _ : @ -");
        }
        return value;
    }

    private static Path path(String value) throws ConfigException {
        if (value.isEmpty() || value.indexOf('\0') >= 0) {
            throw new ConfigException("the path is empty");
        }
        return Path.of(value).toAbsolutePath();
    }

    private static int number(String value, int least, int most) throws ConfigException {
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // falls to the complaint below, which is the same for both
        }
        throw new ConfigException("\"" + value + "\" is not a number from " + least + " to " + most);
    }

    private static long logicalSize(String value) throws ConfigException {
        long bytes = ByteSize.parse(value);
        if (bytes < BalloonConfig.LEAST_SIZE) {
            throw new ConfigException("a VM can't live in " + ByteSize.format(bytes)
                    + "; sizes are in bytes unless they have a unit, such as 512M");
        }
        return bytes;
    }

    private static boolean onOff(String value) throws ConfigException {
        return switch (value) {
            case "on", "yes", "true", "y" -> true;
            case "off", "no", "false", "n" -> false;
            default -> throw new ConfigException("\"" + value + "\" is neither on nor off");
        };
    }
}
