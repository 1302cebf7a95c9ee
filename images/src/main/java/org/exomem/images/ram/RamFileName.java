package org.exomem.images.ram;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.pages.ByteText;

/**
 * The name of a RAM file, which shows the part of a VM's RAM that it has:
 *
 * <pre>
 * exomem.OFFSET+SIZE.NAME
 * exomem.OFFSET+SIZE.NAME.RANDOM    a temporary one
 * </pre>
 *
 * OFFSET and SIZE are hexadecimal, with small letters and no leading zeros; RANDOM is 16 hexadecimal digits. Two VMs with
 * the same memory back-ends in the same order have files of the same names. Two files of one VM never have. Each name has
 * exactly one text.
 *
 * @param offset the sum of the sizes of the VM's memory back-ends before this one, in bytes
 * @param size bytes, at least one page
 * @param name the VMM's id of the memory back-end: a letter, then letters, digits and {@code . _ -}, 128 at the most
 * @param random of a temporary file
 */
public record RamFileName(long offset, long size, String name, Optional<String> random) {
    /** Offset and size are multiples of this, in bytes. */
    public static final long PAGE = 4096;

    /** The largest sum of offset and size, in bytes. */
    public static final long MOST_BYTES = 1L << 52;

    /** The prefix of all names. */
    public static final String PREFIX = "exomem.";

    private static final Pattern NAME = Pattern.compile("[A-Za-z][A-Za-z0-9._-]{0,127}");
    private static final Pattern RANDOM = Pattern.compile("[0-9a-f]{16}");
    /** The name of a memory back-end must not look like this. */
    private static final Pattern WITH_RANDOM = Pattern.compile("(.+)\\.([0-9a-f]{16})");

    private static final Pattern FORM =
            Pattern.compile("exomem\\.(0|[1-9a-f][0-9a-f]{0,15})\\+([1-9a-f][0-9a-f]{0,15})\\.(.+)");
    private static final int RANDOM_BYTES = 8;

    /** @throws IllegalArgumentException if no RAM file can have that name; the message says why */
    public RamFileName {
        check(offset, size, name);
        random.ifPresent(digits -> {
            if (!RANDOM.matcher(digits).matches()) {
                throw new IllegalArgumentException("\"" + digits + "\" is not 16 hexadecimal digits");
            }
        });
    }

    /** The name of a file that is not temporary. */
    public RamFileName(long offset, long size, String name) {
        this(offset, size, name, Optional.empty());
    }

    static void check(long offset, long size, String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("\"" + name
                    + "\" is not a valid name of a part of RAM; use a letter, then up to 127 letters,"
                    + " digits and . _ -");
        }
        if (WITH_RANDOM.matcher(name).matches()) {
            throw new IllegalArgumentException(
                    "\"" + name + "\" ends like the name of a temporary RAM file; use another name");
        }
        if (size <= 0) {
            throw new IllegalArgumentException("\"" + name + "\" must have a size above 0");
        }
        if (size % PAGE != 0) {
            throw new IllegalArgumentException("the size of \"" + name + "\", " + ByteText.exactly(size)
                    + ", is not a multiple of " + ByteText.of(PAGE) + ", the page size");
        }
        if (offset < 0 || offset % PAGE != 0 || offset > MOST_BYTES || size > MOST_BYTES - offset) {
            throw new IllegalArgumentException("\"" + name + "\" can't be at offset " + ByteText.exactly(offset)
                    + " with " + ByteText.exactly(size) + ": an offset must be a multiple of " + ByteText.of(PAGE)
                    + ", and RAM must end at or below 4 PiB");
        }
    }

    /**
     * Parses the name of a file.
     *
     * @param file without folders
     * @return empty if it is no name of a RAM file
     */
    public static Optional<RamFileName> parse(String file) {
        Matcher form = FORM.matcher(file);
        if (!form.matches()) {
            return Optional.empty();
        }
        Matcher temporary = WITH_RANDOM.matcher(form.group(3));
        boolean hasRandom = temporary.matches();
        try {
            return Optional.of(new RamFileName(
                    HexFormat.fromHexDigitsToLong(form.group(1)),
                    HexFormat.fromHexDigitsToLong(form.group(2)),
                    hasRandom ? temporary.group(1) : form.group(3),
                    hasRandom ? Optional.of(temporary.group(2)) : Optional.empty()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /**
     * Returns the names of the files of a VM with these memory back-ends, in this order.
     *
     * @throws IllegalArgumentException if two have the same name, or together they are too large
     */
    public static List<RamFileName> of(List<RamBlock> blocks) {
        List<RamFileName> names = new ArrayList<>();
        Set<String> used = new HashSet<>();
        long offset = 0;
        for (RamBlock block : blocks) {
            if (!used.add(block.name())) {
                throw new IllegalArgumentException("two parts of RAM have the name \"" + block.name() + "\"");
            }
            names.add(new RamFileName(offset, block.size(), block.name()));
            offset += block.size();
        }
        return List.copyOf(names);
    }

    /** Returns a random name of a temporary file for the same part of RAM. */
    public RamFileName temporary(SecureRandom source) {
        byte[] bytes = new byte[RANDOM_BYTES];
        source.nextBytes(bytes);
        return new RamFileName(offset, size, name, Optional.of(HexFormat.of().formatHex(bytes)));
    }

    /** The part of RAM in the file. */
    public RamBlock block() {
        return new RamBlock(name, size);
    }

    /** The offset after its last byte. */
    public long end() {
        return offset + size;
    }

    /** The text of the name, without folders. */
    public String file() {
        return PREFIX + Long.toHexString(offset) + "+" + Long.toHexString(size) + "." + name
                + random.map(digits -> "." + digits).orElse("");
    }

    @Override
    public String toString() {
        return file();
    }
}
