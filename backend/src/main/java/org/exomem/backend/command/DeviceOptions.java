package org.exomem.backend.command;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.exomem.backend.config.DeviceOption;
import org.exomem.backend.config.ServeConfig;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Section;
import org.exomem.cli.options.Usage;

/** {@code --balloon} and {@code --mem}. */
final class DeviceOptions {
    private final List<String> balloons = new ArrayList<>();
    private final List<String> mems = new ArrayList<>();

    void describe(Usage usage) {
        usage.repeatableOption(
                "--balloon",
                "vm=NAME,socket=PATH[,...]",
                "Serves a balloon; may be repeated. See below.",
                Completion.NOTHING,
                balloons::add);
        usage.repeatableOption(
                "--mem",
                "vm=NAME,id=ID,socket=PATH,addr=GPA,size=SIZE[,...]",
                "Serves a memory device; may be repeated, also for one VM. See below.",
                Completion.NOTHING,
                mems::add);
    }

    /** The values of {@code --balloon}, in their order. */
    List<String> balloons() {
        return balloons;
    }

    /** The values of {@code --mem}, in their order. */
    List<String> mems() {
        return mems;
    }

    /**
     * Explains the values of these options, below the help of a command.
     *
     * @param more further examples
     */
    static void explain(Usage usage, String command, String... more) {
        usage.section(() -> Section.ofRows(
                "Options of a balloon (write a comma in a value twice)", rows(ServeConfig.balloonOptions())));
        usage.section(() -> Section.ofRows(
                "Options of a memory device: guest memory that \"exomem mem\" plugs",
                rows(ServeConfig.memoryOptions())));
        List<String> examples = new ArrayList<>();
        examples.add("  exomem " + command + " --balloon vm=web,socket=/run/web-balloon.sock");
        examples.add("  exomem " + command + " --balloon vm=a,socket=/tmp/a,size=2G");
        examples.add("  exomem " + command + " --mem vm=a,id=m0,socket=/tmp/m0,addr=4G,size=8G");
        examples.addAll(List.of(more));
        usage.section("Examples", examples.toArray(String[]::new));
    }

    private static Map<String, String> rows(List<DeviceOption> options) {
        Map<String, String> rows = new LinkedHashMap<>();
        for (DeviceOption option : options) {
            rows.put(
                    option.name() + "=" + option.value(),
                    option.description() + " ("
                            + (option.isRequired() ? option.standard() : "default: " + option.standard()) + ")");
        }
        return rows;
    }
}
