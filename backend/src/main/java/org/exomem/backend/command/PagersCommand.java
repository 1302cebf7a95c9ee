package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import org.exomem.backend.config.ByteSize;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.text.Table;

/** {@code exomem pagers}. */
final class PagersCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Shows VMs whose memory is loaded on demand, and how much has not arrived yet.",
                "FAULTS counts accesses that had to wait for a page of the image. A VM is listed until its memory is"
                        + " loaded on demand again, or until the serving process ends.");
        outputOption.describe(usage);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) {
        Output output = outputOption.on(streams);
        return control.connect(session -> {
            JsonNode pagers = session.execute("query-pagers");
            return output.show(pagers, () -> table(pagers));
        });
    }

    private static String table(JsonNode pagers) {
        Table table = new Table("VM", "STATUS", ">OWED", ">ARRIVED", ">FAULTS", "IMAGE", "WHY");
        for (JsonNode pager : pagers) {
            table.add(
                    pager.path("vm").asText(),
                    pager.path("status").asText(),
                    ByteSize.format(pager.path("owed").asLong()),
                    ByteSize.format(pager.path("arrived").asLong()),
                    Long.toString(pager.path("faults").asLong()
                            - pager.path("zero-faults").asLong()),
                    pager.path("image").asText(),
                    pager.path("reason").asText("-"));
        }
        return table.toString();
    }
}
