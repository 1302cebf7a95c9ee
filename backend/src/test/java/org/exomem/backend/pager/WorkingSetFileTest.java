package org.exomem.backend.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Random;
import org.exomem.images.Sha256;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkingSetFileTest {
    private static final Sha256 IMAGE = Sha256.of(new byte[] {1});
    /** The last block has only 4 pages. */
    private static final long PAGES = 2004;

    @TempDir
    private Path folder;

    private WorkingSetFile file;

    @BeforeEach
    void chooseFile() {
        file = WorkingSetFile.of(folder);
    }

    private static PageBits set(long... pages) {
        PageBits set = new PageBits(PAGES);
        for (long page : pages) {
            set.add(page);
        }
        return set;
    }

    @Test
    @Tag("PGR-SET-1")
    void pagesComeBackAsTheirBlocksOf64KiB() throws IOException {
        assertThat(file.read(IMAGE, PAGES)).isEmpty();
        file.write(IMAGE, set(0, 17, 18, 1999, 2003));
        PageBits read = file.read(IMAGE, PAGES).orElseThrow();
        assertThat(read.toString()).isEqualTo("0-31 1984-2003");
        file.write(IMAGE, read);
        assertThat(file.read(IMAGE, PAGES).orElseThrow().toString()).isEqualTo(read.toString());
        assertThat(folder).isDirectoryContaining(path -> path.equals(file.path()));
        assertThat(Files.size(file.path())).isEqualTo(56 + 2 * 8 + 32);
    }

    @Test
    @Tag("PGR-SET-2")
    void workingSetOfAnotherImageIsNone() throws IOException {
        file.write(IMAGE, set(1));
        assertThat(file.read(Sha256.of(new byte[] {2}), PAGES)).isEmpty();
    }

    @Test
    @Tag("PGR-SET-2")
    void fileThatIsDamagedOrOfAnotherVersionIsRefused() throws IOException {
        file.write(IMAGE, set(1, 500));
        byte[] good = Files.readAllBytes(file.path());
        for (int at = 0; at < good.length; at++) {
            byte[] bytes = good.clone();
            bytes[at] ^= 4;
            refused(bytes, "is not used");
        }
        for (int length = 0; length < good.length; length++) {
            refused(Arrays.copyOf(good, length), "is not used");
        }
        refused(Arrays.copyOf(good, good.length + 1), "can't be read");
        refused(changed(good, 8, 2), "it has version 2");
        refused(changed(good, 12, 4096), "do not match the image");
        refused(changed(good, 16, (int) PAGES - 1), "do not match the image");
        refused(changed(good, 16, -1), "do not match the image");
        // Blocks 126 and 127 of 126.
        refused(changed(good, 68, 0xc0000000), "after the last one");
        refused(new byte[0], "not a working set");
    }

    private void refused(byte[] bytes, String message) throws IOException {
        Files.write(file.path(), bytes);
        assertThatThrownBy(() -> file.read(IMAGE, PAGES))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message);
    }

    /** A changed file with a correct digest. */
    private static byte[] changed(byte[] good, int at, int value) {
        byte[] bytes = good.clone();
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(at, value);
        MessageDigest digest = Sha256.algorithm();
        digest.update(bytes, 0, bytes.length - 32);
        System.arraycopy(digest.digest(), 0, bytes, bytes.length - 32, 32);
        return bytes;
    }

    @Test
    @Tag("PGR-SET-2")
    void whateverIsInItNothingElseThanAFailureComesOfIt() throws IOException {
        long seed = 20261129;
        Random random = new Random(seed);
        file.write(IMAGE, set(1, 500));
        byte[] good = Files.readAllBytes(file.path());
        for (int i = 0; i < 1000; i++) {
            byte[] bytes = good.clone();
            for (int change = 0; change <= random.nextInt(4); change++) {
                bytes = changed(bytes, random.nextInt(good.length - 36), random.nextInt());
            }
            Files.write(file.path(), bytes);
            try {
                file.read(IMAGE, PAGES);
            } catch (IOException e) {
                assertThat(e).as("seed %s, round %s", seed, i).hasMessageContaining("is not used");
            }
        }
    }

    @Test
    void folderThatCannotBeWrittenIsTold() {
        WorkingSetFile nowhere = WorkingSetFile.of(folder.resolve("none"));
        assertThatThrownBy(() -> nowhere.write(IMAGE, set(1)))
                .hasMessageContaining("the working set can't be stored in");
    }
}
