package org.exomem.images.ram;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.SecureRandom;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RamFileNameTest {
    private static final long GIB = 1L << 30;

    @Test
    void nameTellsOffsetSizeAndBlock() {
        RamFileName name = new RamFileName(0, 8 * GIB, "ram");

        assertThat(name.file()).isEqualTo("exomem.0+200000000.ram");
        assertThat(RamFileName.parse("exomem.0+200000000.ram")).contains(name);
        assertThat(RamFileName.parse("exomem.200000000+800000.vga.vram"))
                .contains(new RamFileName(8 * GIB, 8 << 20, "vga.vram"));
    }

    @Test
    void offsetsAreTheSumOfTheSizesBefore() {
        List<RamFileName> names =
                RamFileName.of(List.of(new RamBlock("r0", 2 * GIB), new RamBlock("r1", GIB), new RamBlock("r2", GIB)));

        assertThat(names)
                .extracting(RamFileName::file)
                .containsExactly("exomem.0+80000000.r0", "exomem.80000000+40000000.r1", "exomem.c0000000+40000000.r2");
    }

    @Test
    void temporaryNamesDifferAndAreToldFromOthers() {
        RamFileName name = new RamFileName(0, GIB, "ram");
        SecureRandom source = new SecureRandom();
        RamFileName one = name.temporary(source);

        assertThat(one).isNotEqualTo(name.temporary(source));
        assertThat(one.file()).matches("exomem\\.0\\+40000000\\.ram\\.[0-9a-f]{16}");
        assertThat(RamFileName.parse(one.file())).contains(one);
        assertThat(one.random()).isPresent();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "exomem",
                "exomem.",
                "exomem.0+1000",
                "exomem.0+1000.",
                "exomem.0+1000..ram",
                "exomem.0+1000.ram/x",
                "exomem.0+1000.../../etc/passwd",
                "exomem.0+0.ram",
                "exomem.0+1001.ram",
                "exomem.00+1000.ram",
                "exomem.0+01000.ram",
                "exomem.0x0+1000.ram",
                "exomem.A000+1000.ram",
                "exomem.-1000+1000.ram",
                "exomem.800+1000.ram",
                "exomem.ffffffffffffffff+1000.ram",
                "exomem.0+ffffffffffffffff.ram",
                "exomem.8000000000000000+8000000000000000.ram",
                "exomem.10000000000000000+1000.ram",
                "exomem.0+1000.1ram",
                "exomem.0+1000.r m",
                "exomem.0+1000.ram\n",
                "exomem.0+1000.r\u0000",
                "exomem.0+1000.0123456789abcdef",
                "exomem.0+1000.ram.0123456789abcdef.0123456789abcdef",
                "Exomem.0+1000.ram",
                "qemu_back_mem.0+1000.ram",
                " exomem.0+1000.ram"
            })
    void whatIsNoNameIsNotTakenForOne(String text) {
        assertThat(RamFileName.parse(text)).isEmpty();
    }

    @Test
    void nameThatNoFileCanHaveIsRefusedWithItsReason() {
        assertThatThrownBy(() -> new RamFileName(0, 4097, "ram")).hasMessageContaining("multiple of 4 KiB");
        assertThatThrownBy(() -> new RamFileName(1, 4096, "ram")).hasMessageContaining("offset 1");
        assertThatThrownBy(() -> new RamFileName(0, 4096, "../x")).hasMessageContaining("../x");
        assertThatThrownBy(() -> new RamFileName(0, 4096, "r".repeat(129)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new RamFileName(0, 4096, "ram.0123456789abcdef"))
                .hasMessageContaining("temporary");
        assertThatThrownBy(() -> new RamFileName(0, 4096, "ram", Optional.of("XYZ")))
                .hasMessageContaining("hexadecimal");
        assertThatThrownBy(() -> RamFileName.of(List.of(new RamBlock("a", 4096), new RamBlock("a", 4096))))
                .hasMessageContaining("\"a\"");
    }

    /** Texts that are almost valid names. A valid name must have no other text. */
    @Test
    void whatIsReadIsWrittenAsItWas() {
        Random random = new Random(12);
        String letters = "exomem.0123456789abcdef+ram-_AZ/ \u00e4";
        int read = 0;
        for (int round = 0; round < 50_000; round++) {
            StringBuilder text = new StringBuilder(
                    new RamFileName((long) random.nextInt(1 << 20) << 12, (1L + random.nextInt(1 << 20)) << 12, "ram.x")
                            .file());
            for (int changes = random.nextInt(4); changes > 0; changes--) {
                int at = random.nextInt(text.length());
                char letter = letters.charAt(random.nextInt(letters.length()));
                switch (random.nextInt(3)) {
                    case 0 -> text.setCharAt(at, letter);
                    case 1 -> text.insert(at, letter);
                    default -> text.deleteCharAt(at);
                }
            }
            Optional<RamFileName> name = RamFileName.parse(text.toString());
            if (name.isPresent()) {
                read++;
                assertThat(name.get().file()).isEqualTo(text.toString()).doesNotContain("/");
                assertThat(name.get().size()).isPositive();
                assertThat(name.get().end()).isGreaterThan(name.get().offset());
            }
        }
        assertThat(read).isBetween(1000, 49_000);
    }
}
