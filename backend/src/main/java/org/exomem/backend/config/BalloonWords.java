package org.exomem.backend.config;

import java.util.List;
import java.util.OptionalLong;
import org.exomem.balloon.BalloonOptions;

/** The words that describe one balloon. */
final class BalloonWords extends DeviceWords<BalloonConfig> {
    private static final List<String> KNOWN = List.of(
            "vm",
            "socket",
            "connect",
            "fd",
            "size",
            "stats-interval",
            "vmm-qmp",
            "discard",
            "deflate-on-oom",
            "must-tell-host",
            "statistics",
            "free-page-hint",
            "page-poison",
            "free-page-reporting");
    private static final int MAX_STATISTICS_INTERVAL = 86_400;

    private OptionalLong size = OptionalLong.empty();
    private int statisticsInterval;
    private boolean mustTellHost = BalloonOptions.defaults().mustTellHost();
    private boolean statistics = BalloonOptions.defaults().statistics();
    private boolean deflateOnOom = BalloonOptions.defaults().deflateOnOom();
    private boolean freePageHinting = BalloonOptions.defaults().freePageHinting();
    private boolean pagePoison = BalloonOptions.defaults().pagePoison();
    private boolean pageReporting = BalloonOptions.defaults().pageReporting();
    private boolean discard = BalloonOptions.defaults().discard();

    BalloonWords() {
        super("a balloon", KNOWN);
    }

    @Override
    void setOwn(String key, String value) throws ConfigException {
        switch (key) {
            case "size" -> size = OptionalLong.of(logicalSize(value));
            case "stats-interval" -> statisticsInterval = Value.number(value, 0, MAX_STATISTICS_INTERVAL);
            case "discard" -> discard = Value.onOff(value);
            case "deflate-on-oom" -> deflateOnOom = Value.onOff(value);
            case "must-tell-host" -> mustTellHost = Value.onOff(value);
            case "statistics" -> statistics = Value.onOff(value);
            case "free-page-hint" -> freePageHinting = Value.onOff(value);
            case "page-poison" -> pagePoison = Value.onOff(value);
            case "free-page-reporting" -> pageReporting = Value.onOff(value);
            default -> throw new IllegalStateException(key);
        }
    }

    @Override
    BalloonConfig toConfig() throws ConfigException {
        String vm = vm();
        if (statisticsInterval > 0 && !statistics) {
            throw new ConfigException("stats-interval needs statistics=on");
        }
        BalloonOptions options = new BalloonOptions(
                mustTellHost, statistics, deflateOnOom, freePageHinting, pagePoison, pageReporting, discard);
        return new BalloonConfig(vm, attachment(), options, statisticsInterval, size, vmmQmp());
    }

    private static long logicalSize(String value) throws ConfigException {
        long bytes = ByteSize.parse(value);
        if (bytes < BalloonConfig.LEAST_SIZE) {
            throw new ConfigException("a VM can't live in " + ByteSize.format(bytes)
                    + "; sizes are in bytes unless they have a unit, such as 512M");
        }
        return bytes;
    }
}
