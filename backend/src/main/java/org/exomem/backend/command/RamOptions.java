package org.exomem.backend.command;

import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.config.ConfigException;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.images.ram.RamBlock;
import org.exomem.images.ram.RamFileName;
import org.jspecify.annotations.Nullable;

/** {@code --size}, {@code --name} and {@code --block}: the parts of a VM's RAM. */
final class RamOptions {
    static final String STANDARD_NAME = "ram";

    private final List<RamBlock> blocks = new ArrayList<>();
    private @Nullable String size;
    private @Nullable String name;

    void describe(Usage usage) {
        usage.option(
                "--size", "SIZE", "The VM's RAM, such as 8G, in one part.", Completion.NOTHING, value -> size = value);
        usage.option(
                "--name",
                "NAME",
                "The name of that part, which is the id of the VMM's memory back-end (default: ram).",
                Completion.NOTHING,
                value -> name = value);
        usage.repeatableOption(
                "--block",
                "NAME=SIZE",
                "Instead of both: a part of the RAM, in the VMM's order; may be repeated.",
                Completion.NOTHING,
                this::addBlock);
    }

    private void addBlock(String text) throws UsageException {
        String[] parts = text.split("=", -1);
        if (parts.length != 2) {
            throw new UsageException("--block: \"" + text + "\" is not NAME=SIZE, such as r0=2G");
        }
        try {
            blocks.add(new RamBlock(parts[0], ByteSize.parse(parts[1])));
        } catch (ConfigException | IllegalArgumentException e) {
            throw new UsageException("--block: " + e.getMessage());
        }
    }

    /** True if no option about the RAM was given. */
    boolean isEmpty() {
        return size == null && name == null && blocks.isEmpty();
    }

    /** @throws UsageException if no VM can have such RAM */
    List<RamFileName> names() throws UsageException {
        if (blocks.isEmpty() == (size == null)) {
            throw new UsageException(
                    size == null
                            ? "the size is missing: --size 8G, or --block NAME=SIZE for each part of the RAM"
                            : "--size and --block exclude each other");
        }
        if (name != null && size == null) {
            throw new UsageException("--name needs --size");
        }
        try {
            return RamFileName.of(
                    size == null
                            ? blocks
                            : List.of(new RamBlock(name == null ? STANDARD_NAME : name, ByteSize.parse(size))));
        } catch (ConfigException | IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        }
    }
}
