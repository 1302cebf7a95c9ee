package org.exomem.images.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.ram.RamFileName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ManifestTest {
    private static final String TEXT = new String(Saved.manifest().toBytes(), StandardCharsets.UTF_8);

    private static Manifest read(String text) throws ImageException {
        return Manifest.of(text.getBytes(StandardCharsets.UTF_8));
    }

    private static void assertRefused(Fault fault, String why, String text) {
        assertThatThrownBy(() -> read(text))
                .hasMessageContaining(why)
                .asInstanceOf(InstanceOfAssertFactories.type(ImageException.class))
                .extracting(ImageException::fault)
                .isEqualTo(fault);
    }

    @Test
    void whatIsReadIsWhatWasWritten() throws ImageException {
        Manifest read = read(TEXT);

        assertThat(read.toBytes()).isEqualTo(Saved.manifest().toBytes());
        assertThat(read.vmm()).isEqualTo(Saved.VMM);
        assertThat(read.ram()).isEqualTo(Saved.manifest().ram());
        assertThat(read.ramBytes()).isEqualTo((1 << 20) + (1 << 16));
        assertThat(read.devices()).get().asString().contains("\"balloon0\"");
    }

    @Test
    void formatIsTheOneInTheDocument() {
        assertThat(TEXT)
                .startsWith("{\n  \"format\": \"exomem image\",\n  \"version\": 1,\n")
                .contains("\"file\": \"exomem.0+100000.ram\"", "\"saved\": \"2026-11-29T03:00:00.123Z\"")
                .contains("\"file\": \"vmm.state\"")
                .endsWith("}\n");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"version\": 1, | \"version\": 2, \"new\": {}, | NEWER | version 2",
                "\"version\": 1, | \"version\": 0, | INVALID | version 0",
                "\"version\": 1, | \"version\": \"1\", | INVALID | not a number",
                "exomem image | exomem picture | FOREIGN | not a manifest",
                "\"running\": true, | '' | INVALID | \"running\" is missing",
                "\"running\": true, | \"running\": 1, | INVALID | neither true nor false",
                "\"running\": true, | \"running\": true, \"running\": true, | INVALID | Duplicate",
                "\"running\": true, | \"running\": true, \"color\": 1, | INVALID | \"color\"",
                "\"size\": 1048576, | \"size\": 1048577, | INVALID | size",
                "\"name\": \"more\" | \"name\": \"ram\" | INVALID | name",
                "exomem.0+100000.ram | ../0+100000.ram | INVALID | not the name of a RAM file",
                "exomem.0+100000.ram | /etc/passwd | INVALID | not the name of a RAM file",
                "exomem.100000+10000.more | exomem.200000+10000.more | INVALID | not contiguous",
                "\"data\": 4096 | \"data\": 1048577 | INVALID | 1048577 bytes of data",
                "\"data\": 4096 | \"data\": -1 | INVALID | -1",
                "\"data\": 4096 | \"data\": 1.5 | INVALID | 1.5",
                "\"data\": 4096 | \"data\": 99999999999999999999 | INVALID | not JSON",
                "\"data\": 4096 | \"data\": null | INVALID | null",
                "\"file\": \"vmm.state\" | \"file\": \"../vmm.state\" | INVALID | ../vmm.state",
                "\"sha256\": \" | \"sha256\": \"x | INVALID | characters",
                "\"digest\": \"6 | \"digest\": \"Z | INVALID | not a SHA-256",
                "2026-11-29T03:00:00.123Z | yesterday | INVALID | yesterday",
                "2026-11-29T03:00:00.123Z | 2026-11-29T04:00:00.123+01:00 | INVALID | milliseconds",
                "\"vm\": \"web\" | \"vm\": \"\" | INVALID | not a valid name of a VM",
                "\"vm\": \"web\" | \"vm\": \"w\\u0000\" | INVALID | zero",
                "\"qemu-system-x86_64\" | \"\" | INVALID | no program",
                "\"-m\" | 7 | INVALID | command[1]",
            })
    void whatNoImageCanHaveIsRefused(String right, String wrong, Fault fault, String why) {
        assertThat(TEXT).contains(right);
        assertRefused(fault, why, TEXT.replace(right, wrong));
    }

    @Test
    void textThatIsNoManifestIsRefused() {
        assertRefused(Fault.INVALID, "not JSON", "");
        assertRefused(Fault.INVALID, "not JSON", "{");
        assertRefused(Fault.INVALID, "not JSON", TEXT + "x");
        assertRefused(Fault.FOREIGN, "not a manifest", "[]");
        assertRefused(Fault.FOREIGN, "not a manifest", "{}");
        assertRefused(Fault.INVALID, "not JSON", "[".repeat(5000));
        assertRefused(Fault.INVALID, "more than 1048576 bytes", " ".repeat(1 << 20) + TEXT);
        assertThatThrownBy(() -> Manifest.of(new byte[] {'"', (byte) 0xff, '"'}))
                .hasMessageContaining("UTF-8");
    }

    @Test
    void moreOfAnythingThanFitsIsRefused() {
        String argument = "\"qemu-system-x86_64\"";
        assertRefused(
                Fault.INVALID,
                "more than 4096",
                TEXT.replace(argument, argument + ",\"\"".repeat(Manifest.MOST_ARGUMENTS)));
        assertThatThrownBy(() -> new Manifest.Vmm("QEMU", "1", List.of("x".repeat((1 << 17) + 1))))
                .hasMessageContaining("131072");
        Manifest.Ram ram = new Manifest.Ram(new RamFileName(0, 4096, "ram"), 0, Optional.empty());
        Manifest good = Saved.manifest();
        assertThatThrownBy(() -> new Manifest(
                        "1", "vm", good.saved(), true, good.vmm(), List.of(ram, ram), good.state(), Optional.empty()))
                .hasMessageContaining("ram");
        assertThatThrownBy(() -> new Manifest(
                        "1", "vm", good.saved(), true, good.vmm(), List.of(), good.state(), Optional.empty()))
                .hasMessageContaining("no RAM file");
    }

    /** The fuzzer's harness does the same for longer, guided by coverage. */
    @Test
    void changedManifestIsRefusedOrReadAsItStands() {
        Random random = new Random(12);
        byte[] good = Saved.manifest().toBytes();
        int taken = 0;
        for (int round = 0; round < 5000; round++) {
            byte[] bent = random.nextInt(20) == 0 ? Arrays.copyOf(good, random.nextInt(good.length)) : good.clone();
            for (int changes = random.nextInt(3); changes > 0 && bent.length > 0; changes--) {
                bent[random.nextInt(bent.length)] =
                        random.nextBoolean() ? (byte) random.nextInt(256) : good[random.nextInt(good.length)];
            }
            try {
                byte[] written = Manifest.of(bent).toBytes();
                assertThat(Manifest.of(written).toBytes()).isEqualTo(written);
                taken++;
            } catch (ImageException e) {
                assertThat(e.getMessage()).isNotEmpty();
            }
        }
        assertThat(taken).isBetween(200, 4800);
    }
}
