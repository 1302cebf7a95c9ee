package org.exomem.linux;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Huge pages that the host has reserved for a test. A test that can't get them is skipped. */
public final class HugePages implements AutoCloseable {
    /** The size of each, in bytes. */
    public static final long SIZE = 2 << 20;

    private static final Path RESERVED = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
    private static final Path FREE = Path.of("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");

    private final String before;

    private HugePages(String before) {
        this.before = before;
    }

    public static HugePages reserve(int pages) throws IOException {
        assumeTrue(Files.isWritable(RESERVED), "needs huge pages, and root to reserve some");
        HugePages reserved = new HugePages(Files.readString(RESERVED).strip());
        Files.writeString(RESERVED, Long.toString(Long.parseLong(reserved.before) + pages));
        if (Long.parseLong(Files.readString(FREE).strip()) < pages) {
            reserved.close();
            assumeTrue(false, "needs " + pages + " huge pages, the host could not reserve them");
        }
        return reserved;
    }

    @Override
    public void close() throws IOException {
        Files.writeString(RESERVED, before);
    }
}
