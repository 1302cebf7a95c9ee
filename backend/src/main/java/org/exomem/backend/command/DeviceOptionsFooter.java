package org.exomem.backend.command;

import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.config.DeviceOption;
import org.exomem.backend.config.ServeConfig;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.CommandSpec;

/** Explains the options of devices below the help of a command that takes {@code --balloon} and {@code --mem}. */
final class DeviceOptionsFooter implements IModelTransformer {
    private static final int WIDTH = 80;
    private static final int COLUMN = 27;
    /** Has a description begin on the next line where a name leaves it no room. */
    private static final int GAP = 2;

    @Override
    public CommandSpec transform(CommandSpec command) {
        List<String> lines = new ArrayList<>();
        ServeConfig.balloonOptions().forEach(option -> addTo(lines, option));
        lines.add("");
        lines.add("A memory device (virtio-mem) is a range of guest memory that is not there at");
        lines.add("boot. The guest takes it, and gives it back, block by block, as \"exomem mem\"");
        lines.add("asks for. Its options:");
        ServeConfig.memoryOptions().forEach(option -> addTo(lines, option));
        lines.add("");
        lines.add("Examples:");
        lines.add("  exomem " + command.name() + " --balloon vm=web,socket=/run/web-balloon.sock");
        lines.add("  exomem " + command.name() + " --balloon vm=a,socket=/tmp/a,size=2G");
        lines.add("  exomem " + command.name() + " --mem vm=a,id=m0,socket=/tmp/m0,addr=4G,size=8G");
        command.usageMessage()
                .footerHeading("%nThe options of a balloon (a comma in a value is written twice):%n")
                .footer(lines.stream().map(line -> line.replace("%", "%%")).toArray(String[]::new));
        return command;
    }

    private static void addTo(List<String> lines, DeviceOption option) {
        StringBuilder line = new StringBuilder("  " + option.name() + "=" + option.value());
        if (line.length() > COLUMN - GAP) {
            lines.add(line.toString());
            line.setLength(0);
        }
        String text = option.description()
                + (option.isRequired() ? " (" + option.standard() + ")" : " (default: " + option.standard() + ")");
        line.repeat(' ', COLUMN - line.length());
        int start = line.length();
        for (String word : text.split(" ", -1)) {
            if (line.length() > start && line.length() + 1 + word.length() > WIDTH) {
                lines.add(line.toString());
                line.setLength(0);
                line.repeat(' ', COLUMN);
                start = COLUMN;
            }
            line.append(line.length() > start ? " " : "").append(word);
        }
        lines.add(line.toString());
    }
}
