package org.exomem.backend.config;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;

/** The options of one balloon. */
final class BalloonDeviceOptions extends DeviceOptions<BalloonConfig> {
    static final List<DeviceOption> ALL = List.of(
            VM,
            SOCKET,
            CONNECT,
            FD,
            SOCKET_MODE,
            SOCKET_GROUP,
            new DeviceOption("size", "SIZE", "the VM's size from the start, such as 2G", "all"),
            new DeviceOption(
                    "stats-interval",
                    "SECONDS",
                    "seconds between two requests for statistics; 0 for none, 86400 at most",
                    "0"),
            VMM_QMP,
            VMM_WRITES,
            VMM_ACTIVE,
            DeviceOption.onOff(
                    "discard",
                    "returns unused pages to the host",
                    BalloonOptions.defaults().discard()),
            DeviceOption.onOff(
                    "deflate-on-oom",
                    "a guest that is out of memory may take pages back",
                    BalloonOptions.defaults().deflateOnOom()),
            DeviceOption.onOff(
                    "must-tell-host",
                    "the guest must report pages of the balloon before it uses them again",
                    BalloonOptions.defaults().mustTellHost()),
            DeviceOption.onOff(
                    "statistics",
                    "offers statistics to the guest's driver",
                    BalloonOptions.defaults().statistics()),
            DeviceOption.onOff(
                    "free-page-hint",
                    "offers free page hinting",
                    BalloonOptions.defaults().freePageHinting()),
            DeviceOption.onOff(
                    "page-poison",
                    "lets the guest's driver report how the guest fills its free pages",
                    BalloonOptions.defaults().pagePoison()),
            DeviceOption.onOff(
                    "free-page-reporting",
                    "offers free page reporting",
                    BalloonOptions.defaults().pageReporting()),
            new DeviceOption(
                    "free-pages",
                    "bitmap|rfc|off",
                    "which drivers may report all free pages at once; bitmap: those that support free page bitmaps;"
                            + " rfc: those that support the proposal of 2016, without free page hinting",
                    "bitmap"));
    private static final int MAX_STATISTICS_INTERVAL = 86_400;

    private OptionalLong size = OptionalLong.empty();
    private int statisticsInterval;
    private boolean mustTellHost = BalloonOptions.defaults().mustTellHost();
    private boolean statistics = BalloonOptions.defaults().statistics();
    private boolean deflateOnOom = BalloonOptions.defaults().deflateOnOom();
    private boolean freePageHinting = BalloonOptions.defaults().freePageHinting();
    private boolean pagePoison = BalloonOptions.defaults().pagePoison();
    private boolean pageReporting = BalloonOptions.defaults().pageReporting();
    private FreePageRequests freePages = BalloonOptions.defaults().freePages();
    private boolean discard = BalloonOptions.defaults().discard();

    BalloonDeviceOptions() {
        super("a balloon", ALL);
    }

    @Override
    void setOwn(String key, String value) throws ConfigException {
        switch (key) {
            case "size" -> size = OptionalLong.of(Value.logicalSize(value));
            case "stats-interval" -> statisticsInterval = Value.number(value, 0, MAX_STATISTICS_INTERVAL);
            case "discard" -> discard = Value.onOff(value);
            case "deflate-on-oom" -> deflateOnOom = Value.onOff(value);
            case "must-tell-host" -> mustTellHost = Value.onOff(value);
            case "statistics" -> statistics = Value.onOff(value);
            case "free-page-hint" -> freePageHinting = Value.onOff(value);
            case "page-poison" -> pagePoison = Value.onOff(value);
            case "free-page-reporting" -> pageReporting = Value.onOff(value);
            case "free-pages" -> freePages = freePages(value);
            default -> throw new IllegalStateException(key);
        }
    }

    private static FreePageRequests freePages(String value) throws ConfigException {
        return switch (value) {
            case "bitmap" -> FreePageRequests.BITMAP;
            case "rfc" -> FreePageRequests.RFC;
            case "off" -> FreePageRequests.OFF;
            default -> throw new ConfigException("\"" + value + "\" is none of bitmap, rfc, off");
        };
    }

    @Override
    BalloonConfig toConfig() throws ConfigException {
        String vm = vm();
        if (statisticsInterval > 0 && !statistics) {
            throw new ConfigException("stats-interval needs statistics=on");
        }
        BalloonOptions options = new BalloonOptions(
                mustTellHost,
                statistics,
                deflateOnOom,
                freePageHinting && freePages != FreePageRequests.RFC,
                pagePoison,
                pageReporting,
                freePages,
                discard);
        return new BalloonConfig(
                vm, attachment(), options, statisticsInterval, size, vmmQmp(), vmmWrites(), vmmActive());
    }

    /** The values of all options, by option name. */
    static Map<String, Object> values(BalloonConfig config) {
        Map<String, Object> values = new LinkedHashMap<>();
        putCommon(values, config);
        values.put("size", config.size());
        values.put("stats-interval", config.statisticsInterval());
        BalloonOptions options = config.offered();
        values.put("discard", options.discard());
        values.put("deflate-on-oom", options.deflateOnOom());
        values.put("must-tell-host", options.mustTellHost());
        values.put("statistics", options.statistics());
        values.put("free-page-hint", options.freePageHinting());
        values.put("page-poison", options.pagePoison());
        values.put("free-page-reporting", options.pageReporting());
        values.put("free-pages", options.freePages().name().toLowerCase(Locale.ROOT));
        return values;
    }
}
