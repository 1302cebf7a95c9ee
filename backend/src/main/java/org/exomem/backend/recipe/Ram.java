package org.exomem.backend.recipe;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.exomem.backend.config.ByteSize;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.ram.RamBlock;
import org.exomem.images.ram.RamFile;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;

/**
 * The guest's RAM in a VMM.
 *
 * @param folder of RAM files; empty for memory without a file name
 * @param mode how the files are made
 * @param boot bytes that the guest boots with, without its memory devices; empty to take the size of the files
 * @param name of the memory back-end
 * @param shared whether the guest's writes go to the file; otherwise they stay in the VMM
 * @param preallocated whether the VMM allocates all host memory at its start
 * @param fallback whether memory without a name is used if the files can't be used
 */
public record Ram(
        Optional<Path> folder,
        Mode mode,
        Optional<Long> boot,
        String name,
        boolean shared,
        boolean preallocated,
        boolean fallback) {
    /** How RAM files are made. */
    public enum Mode {
        /** They exist, and fit. */
        OPEN("open"),
        /** The VMM makes them; they must not exist. */
        CREATE("create"),
        /** The VMM makes them, and removes their names at once. */
        TEMP("temp");

        private final String word;

        Mode(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    /**
     * The memory back-ends of a VM.
     *
     * @param paths the file of each, or a folder of files without names; empty for memory without a name
     * @param notes for the user
     */
    record Chosen(RamLayout layout, List<Path> paths, List<String> notes) {}

    /**
     * Chooses the memory back-ends.
     *
     * @throws RecipeException if the files don't fit the VM, or the memory devices don't fit the RAM
     * @throws IOException if the file system refuses
     */
    Chosen choose(List<DeviceRecipe> devices) throws RecipeException, IOException {
        List<String> notes = new ArrayList<>();
        if (folder.isPresent()) {
            try {
                return inFolder(folder.get(), devices, notes);
            } catch (ImageException e) {
                if (!fallback || boot.isEmpty()) {
                    throw e;
                }
                notes.add(e.getMessage() + ". Memory without a named file is used instead (--fallback)");
            }
        }
        notes.add("the RAM is not in a named file (see --ram): the VM can't be saved, moved or cloned");
        return new Chosen(RamLayout.of(devices, size(0), name), List.of(), notes);
    }

    private long size(long otherwise) throws RecipeException {
        long size = boot.orElse(otherwise);
        if (size <= 0) {
            throw new RecipeException("the size of the VM's RAM is missing: --size 8G, without its memory devices");
        }
        return size;
    }

    private Chosen inFolder(Path place, List<DeviceRecipe> devices, List<String> notes)
            throws RecipeException, IOException {
        RamFiles files = RamFiles.in(place);
        Path absolute = place.toAbsolutePath().normalize();
        return switch (mode) {
            case TEMP -> {
                RamLayout layout = RamLayout.of(devices, size(0), name);
                notes.add("the VMM removes the name of the RAM file when it has opened it: the VM can't be saved, moved"
                        + " or cloned");
                yield new Chosen(
                        layout, layout.parts().stream().map(part -> absolute).toList(), notes);
            }
            case CREATE -> {
                RamLayout layout = RamLayout.of(devices, size(0), name);
                List<RamFile> there = files.list();
                if (!there.isEmpty()) {
                    throw new ImageException(
                            Fault.EXISTS,
                            there.getFirst().path()
                                    + " exists already; use it with --mode open, or remove it with \"exomem ram"
                                    + " remove\"");
                }
                yield new Chosen(layout, paths(absolute, RamFileName.of(layout.parts())), notes);
            }
            case OPEN -> open(files, absolute, devices, notes);
        };
    }

    /** The names of the files are those of the memory back-ends; they need not be the default ones. */
    private Chosen open(RamFiles files, Path absolute, List<DeviceRecipe> devices, List<String> notes)
            throws RecipeException, IOException {
        List<RamFileName> there;
        try {
            there = files.check().stream().map(RamFile::name).toList();
        } catch (ImageException e) {
            throw e.fault() == Fault.MISSING
                    ? new ImageException(
                            Fault.MISSING,
                            e.getMessage() + "; create it with \"exomem ram create\", or let the VMM create it with"
                                    + " --mode create",
                            e)
                    : e;
        }
        long all = there.stream().mapToLong(RamFileName::size).sum();
        long regions = devices.stream()
                .flatMap(device -> device.region().stream())
                .mapToLong(DeviceRecipe.Region::size)
                .sum();
        RamLayout wanted = RamLayout.of(devices, size(all - regions), name);
        List<Long> sizes = there.stream().map(RamFileName::size).toList();
        if (!wanted.parts().stream().map(RamBlock::size).toList().equals(sizes)) {
            throw new ImageException(
                    Fault.MISMATCH,
                    "the RAM files of " + files.folder() + " have " + sizes(sizes) + ", the VM needs "
                            + sizes(wanted.parts().stream().map(RamBlock::size).toList()));
        }
        RamLayout layout = new RamLayout(
                there.stream().map(RamFileName::block).toList(),
                wanted.isNuma(),
                wanted.below4g(),
                wanted.kernelLimit());
        return new Chosen(layout, paths(absolute, there), notes);
    }

    private static String sizes(List<Long> bytes) {
        return bytes.stream().map(ByteSize::format).collect(Collectors.joining(" + "));
    }

    private static List<Path> paths(Path folder, List<RamFileName> names) {
        return names.stream().map(name -> folder.resolve(name.file())).toList();
    }
}
