package org.exomem.migration.stream.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.format.MemoryDescription;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages that arrive in a file of a file system that provides huge pages on request. Only root can mount it. */
class HugePagesTest {
    private static final int PAGE = 4096;
    private static final long MEMORY = 64L << 20;
    private static final int CHUNK = (int) HugePages.DENSE;

    @TempDir
    Path folder;

    private boolean mounted;
    private SharedFile file;
    private FilePages pages;

    @BeforeEach
    void mount() throws Exception {
        mounted = isDone("mount", "-t", "tmpfs", "-o", "size=128M,huge=advise", "none", folder.toString());
        assumeTrue(mounted, "only root can mount");
        file = SharedFile.create(folder.resolve("ram"), MEMORY);
        pages = new FilePages(
                new MemoryDescription(PAGE, List.of(new MemoryDescription.MemoryFile("ram", MEMORY, PAGE))),
                List.of(file));
    }

    @AfterEach
    void unmount() throws Exception {
        if (pages != null) {
            pages.close();
        }
        if (file != null) {
            file.close();
        }
        if (mounted) {
            assertThat(isDone("umount", folder.toString())).isTrue();
        }
    }

    private static boolean isDone(String... command) throws IOException, InterruptedException {
        return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    }

    @Test
    void denseMemoryArrivesInHugePages() throws IOException {
        arrive(0, 8L << 20);
        assertThat(hugeBytes()).isEqualTo(8L << 20);
        assertThat(file.allocatedBytes()).isEqualTo(8L << 20);
        assertThat(content(5L << 20)).isEqualTo(valueAt(5L << 20));
    }

    @Test
    void fewPagesTakeNoMoreThanTheyNeed() throws IOException {
        for (long at = 0; at < MEMORY; at += 1L << 20) {
            pages.pages(at / PAGE, MemorySegment.ofArray(new byte[PAGE]));
        }
        assertThat(file.allocatedBytes()).isEqualTo((MEMORY >> 20) * PAGE);
    }

    @Test
    void whatDoesNotArriveInAHugePageGoesBackButForTheLastOnes() throws IOException {
        for (long at = 0; at < MEMORY; at += HugePages.SIZE) {
            arrive(at, CHUNK);
        }
        long arrived = MEMORY / HugePages.SIZE * CHUNK;
        assertThat(file.allocatedBytes()).isBetween(arrived, arrived + (16L << 20));
        for (long at = 0; at < MEMORY; at += HugePages.SIZE) {
            assertThat(content(at + PAGE)).isEqualTo(valueAt(at + PAGE));
            assertThat(content(at + CHUNK)).isZero();
        }
    }

    @Test
    void memoryThatIsThereAlreadyStays() throws IOException {
        byte[] before = new byte[PAGE];
        before[0] = 99;
        pages.pages(300, MemorySegment.ofArray(before));
        arrive(0, CHUNK);
        assertThat(content(300L * PAGE)).isEqualTo((byte) 99);
        assertThat(file.allocatedBytes()).isEqualTo(CHUNK + PAGE);
    }

    @Test
    void freePagesLeaveAHugePage() throws IOException {
        arrive(0, HugePages.SIZE);
        pages.free(0, 16);
        assertThat(file.allocatedBytes()).isEqualTo(HugePages.SIZE - 16 * PAGE);
        assertThat(content(20 * PAGE)).isEqualTo(valueAt(20 * PAGE));
    }

    private void arrive(long offset, long length) throws IOException {
        for (long at = offset; at < offset + length; at += CHUNK) {
            byte[] chunk = new byte[CHUNK];
            for (int i = 0; i < CHUNK; i += PAGE) {
                chunk[i] = valueAt(at + i);
            }
            pages.pages(at / PAGE, MemorySegment.ofArray(chunk));
        }
    }

    private static byte valueAt(long offset) {
        return (byte) (1 + offset / PAGE % 97);
    }

    private byte content(long offset) throws IOException {
        try (SeekableByteChannel channel = Files.newByteChannel(folder.resolve("ram"))) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.position(offset).read(one);
            return one.get(0);
        }
    }

    /**
     * The huge pages of all files in memory, in bytes, as the kernel counts them. No other test uses any at the same
     * time.
     */
    private static long hugeBytes() throws IOException {
        return Files.readAllLines(Path.of("/proc/meminfo")).stream()
                .filter(line -> line.startsWith("ShmemHugePages:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                .sum();
    }
}
