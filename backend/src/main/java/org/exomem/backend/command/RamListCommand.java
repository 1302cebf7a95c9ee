package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.text.Table;
import org.exomem.images.ram.RamFile;
import org.exomem.linux.ResidentPages;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.FileHolders.Holder;

/** {@code exomem ram list}. */
final class RamListCommand implements Command {
    private final RamFolder folder = new RamFolder();
    private final OutputOption outputOption = new OutputOption();

    @Override
    public void describe(Usage usage) {
        usage.does("Lists the RAM files of a folder, the space that they take, and the processes that map them.");
        folder.describe(usage);
        outputOption.describeOwn(usage);
        usage.section(
                "Columns",
                "  OFFSET     where the file starts in the VM's RAM",
                "  DATA       the space that it takes in the file system (memory on tmpfs)",
                "  HOLES      the rest, which takes no space and reads as zeros",
                "  RESIDENT   how much of it is in the host's memory now",
                "  MAPPED BY  processes that map it; \"private\" if writes do not reach the file.",
                "             Only processes that this user may inspect.");
    }

    private record Row(RamFile file, long resident, List<Holder> holders) {}

    @Override
    public int run(Streams streams) {
        try {
            List<Row> rows = new ArrayList<>();
            for (RamFile file : folder.open().list()) {
                rows.add(new Row(file, resident(file), RamFolder.holders(file)));
            }
            return outputOption.on(streams).show(json(rows), () -> table(rows));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    private static long resident(RamFile file) throws IOException {
        try (SharedFile open = SharedFile.openForReading(file.path())) {
            return ResidentPages.bytes(open);
        }
    }

    private static String table(List<Row> rows) {
        Table table = new Table("NAME", ">OFFSET", ">SIZE", ">DATA", ">HOLES", ">RESIDENT", "MAPPED BY");
        for (Row row : rows) {
            RamFile file = row.file;
            table.add(
                    file.name().name()
                            + file.name().random().map(digits -> " (temporary)").orElse(""),
                    "0x" + Long.toHexString(file.name().offset()),
                    ByteSize.format(file.status().size()),
                    ByteSize.format(file.dataBytes()),
                    ByteSize.format(file.holeBytes()),
                    ByteSize.format(row.resident),
                    RamFolder.text(row.holders));
        }
        return table.toString();
    }

    private static ArrayNode json(List<Row> rows) {
        ArrayNode list = JsonNodeFactory.instance.arrayNode();
        for (Row row : rows) {
            RamFile file = row.file;
            ObjectNode one = list.addObject()
                    .put("file", file.path().toAbsolutePath().toString())
                    .put("name", file.name().name())
                    .put("offset", file.name().offset())
                    .put("size", file.status().size())
                    .put("data", file.dataBytes())
                    .put("holes", file.holeBytes())
                    .put("resident", row.resident);
            ArrayNode holders = one.putArray("mapped-by");
            row.holders.forEach(holder -> holders.addObject()
                    .put("pid", holder.pid())
                    .put("program", holder.program())
                    .put("shared", holder.shared()));
        }
        return list;
    }
}
