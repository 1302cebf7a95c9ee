package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.template.CheckedTemplate;
import org.exomem.backend.template.CloneUsage;
import org.exomem.backend.template.Templates;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.text.Table;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;

/** {@code exomem template list}. */
final class TemplateListCommand implements Command {
    private final OutputOption outputOption = new OutputOption();
    private final TemplatesOption templates = new TemplatesOption();

    @Override
    public void describe(Usage usage) {
        usage.does("Lists templates and their running clones, with the memory that the clones do not share.");
        templates.describe(usage);
        outputOption.describeOwn(usage);
        usage.section(
                "Columns",
                "  DATA    the memory of the template's RAM; all clones share it",
                "  CLONES  VMMs that map it; only those that this user may inspect",
                "  OWN     what all clones together have written; it is not shared");
    }

    /** @param changed whether its files have changed since they were checked */
    private record Row(Templates.Found found, List<CloneUsage> clones, boolean changed) {
        long own() {
            return clones.stream().mapToLong(CloneUsage::own).sum();
        }

        long data() {
            return found.image().stream()
                    .flatMap(image -> image.manifest().ram().stream())
                    .mapToLong(Manifest.Ram::dataBytes)
                    .sum();
        }
    }

    @Override
    public int run(Streams streams) {
        try {
            List<Row> rows = new ArrayList<>();
            templates.check();
            for (Templates.Found found : templates.templates().list()) {
                ImageFolder image = found.image().orElse(null);
                rows.add(
                        image == null
                                ? new Row(found, List.of(), false)
                                : new Row(found, CloneUsage.of(image), CheckedTemplate.hasChanged(image)));
            }
            return outputOption.on(streams).show(json(rows), () -> table(rows));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    private static String table(List<Row> rows) {
        Table table = new Table("TEMPLATE", "VM", "SAVED", ">RAM", ">DATA", ">CLONES", ">OWN");
        StringBuilder faults = new StringBuilder();
        for (Row row : rows) {
            ImageFolder image = row.found.image().orElse(null);
            if (image == null) {
                faults.append(row.found.name())
                        .append(": ")
                        .append(row.found.fault().orElse(""))
                        .append('\n');
                continue;
            }
            table.add(
                    row.found.name(),
                    image.manifest().vm(),
                    image.manifest().saved().toString(),
                    ByteSize.format(image.manifest().ramBytes()),
                    ByteSize.format(row.data()),
                    Integer.toString(row.clones.size()),
                    ByteSize.format(row.own()));
            if (row.changed) {
                faults.append(row.found.name())
                        .append(": its files were written to, or their owner or permissions changed, since the last"
                                + " start of a clone; \"exomem template check\" checks all of it\n");
            }
        }
        return table.toString() + faults;
    }

    private static ArrayNode json(List<Row> rows) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Row row : rows) {
            ObjectNode one = list.addObject().put("name", row.found.name());
            row.found.fault().ifPresent(fault -> one.put("fault", fault));
            row.found
                    .image()
                    .ifPresent(image -> one.put("folder", image.folder().toString())
                            .put("vm", image.manifest().vm())
                            .put("saved", image.manifest().saved().toString())
                            .put("ram", image.manifest().ramBytes())
                            .put("data", row.data())
                            .put("changed", row.changed));
            ArrayNode clones = one.putArray("clones");
            row.clones.forEach(clone -> clones.addObject()
                    .put("pid", clone.pid())
                    .put("program", clone.program())
                    .put("own", clone.own())
                    .put("shared", clone.shared()));
        }
        return list;
    }
}
