package org.exomem.images.signature;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamBlock;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageSignatureTest {
    private static final int MIB = 1 << 20;
    private static final List<RamFileName> RAM =
            RamFileName.of(List.of(new RamBlock("r0", 9 * MIB), new RamBlock("r1", 9 * MIB)));

    @TempDir
    private Path above;

    private Path folder;
    private Path keys;
    private SigningKey key;
    private CheckingKey check;

    @BeforeEach
    void make() throws IOException {
        folder = above.resolve("template");
        keys = Files.createDirectory(above.resolve("keys"));
        key = SigningKey.make(keys);
        check = CheckingKey.read(keys.resolve(SigningKey.PUBLIC));
        image(folder, 1);
    }

    /** An image whose RAM files have content at their beginning and end, and a hole in between. */
    private void image(Path to, long seed) throws IOException {
        ImageWriter writer = ImageWriter.begin(to);
        RamFiles.in(to).create(RAM, RamFiles.Room.ON_DEMAND);
        Random random = new Random(seed);
        for (RamFileName name : RAM) {
            byte[] content = new byte[MIB];
            random.nextBytes(content);
            write(writer.ram(name), 0, content);
            write(writer.ram(name), name.size() - MIB, content);
        }
        Files.write(writer.state(), new byte[] {1, 2, 3});
        ImageWriter.Description description = new ImageWriter.Description(
                "0.1.0",
                "web",
                Instant.EPOCH,
                false,
                new Manifest.Vmm("QEMU", "11.1.2", List.of("qemu-system-x86_64")),
                RAM,
                Optional.empty());
        writer.finish(description, ImageSignature.digests(), ImageSignature.by(key));
    }

    private static void write(Path file, long at, byte[] content) throws IOException {
        try (FileChannel channel = FileChannel.open(file, WRITE)) {
            channel.write(ByteBuffer.wrap(content), at);
        }
    }

    private void check() throws IOException {
        ImageFolder image = ImageFolder.open(folder);
        ImageSignature.check(image, check);
        ImageSignature.checkRam(image);
    }

    private static void assertFault(Fault fault, String text, ThrowingCallable call) {
        assertThatThrownBy(call)
                .hasMessageContaining(text)
                .asInstanceOf(InstanceOfAssertFactories.type(ImageException.class))
                .extracting(ImageException::fault)
                .isEqualTo(fault);
    }

    @Test
    void signedImageIsAccepted() throws IOException {
        check();
    }

    @Test
    void otherKeyIsTold() throws IOException {
        CheckingKey other =
                SigningKey.make(Files.createDirectory(above.resolve("other"))).check();

        assertFault(
                Fault.SIGNATURE,
                "signed with another key, which has the fingerprint " + check.fingerprint(),
                () -> ImageSignature.check(ImageFolder.open(folder), other));
    }

    @Test
    void endThatIsCutOffIsNoRangeOfZeros() throws IOException {
        RamFileName name = new RamFileName(0, 2L * RamDigests.RANGE, "zeros");
        try (SharedFile file = SharedFile.memfd("zeros", name.size())) {
            RamDigests digests = RamDigests.of(name, file);
            assertThat(digests.matches(1, file)).isTrue();
            file.truncate(RamDigests.RANGE);
            assertFault(Fault.SIZE, "became shorter", () -> digests.matches(1, file));
        }
    }

    @Test
    void missingSignatureIsTold() throws IOException {
        Files.delete(folder.resolve("manifest.sig"));

        assertFault(Fault.SIGNATURE, "is not signed", this::check);
    }

    @Test
    void editedManifestIsTold() throws IOException {
        Path manifest = folder.resolve("manifest.json");
        Files.writeString(manifest, Files.readString(manifest).replace("qemu-system-x86_64", "qemu-system-evil64"));

        assertFault(Fault.CHANGED, "manifest.json was changed after it was signed", this::check);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, MIB - 1, 2 * MIB, 8 * MIB, 9 * MIB - 1})
    void everySingleByteOfRamThatWasEditedIsNamedByItsRange(long at) throws IOException {
        byte[] one = new byte[1];
        try (FileChannel channel = FileChannel.open(folder.resolve(RAM.getLast().file()))) {
            channel.read(ByteBuffer.wrap(one), at);
        }
        one[0] ^= 0x10;
        write(folder.resolve(RAM.getLast().file()), at, one);

        long start = at / RamDigests.RANGE * RamDigests.RANGE;
        assertFault(Fault.CHANGED, RAM.getLast() + " has changed: bytes " + start + " to ", this::check);
        ImageFolder image = ImageFolder.open(folder);
        RamDigests digests =
                ImageSignature.digestsOf(image, image.manifest().ram().getLast());
        try (SharedFile file = image.openRam(RAM.getLast())) {
            for (int range = 0; range < digests.ranges(); range++) {
                assertThat(digests.matches(range, file)).isEqualTo(range != at / RamDigests.RANGE);
            }
        }
    }

    @Test
    void swappedRamFilesAreTold() throws IOException {
        Path one = folder.resolve(RAM.get(0).file());
        Path two = folder.resolve(RAM.get(1).file());
        Path aside = above.resolve("aside");
        Files.move(one, aside);
        Files.move(two, one);
        Files.move(aside, two);

        assertFault(Fault.MISMATCH, "has the content of " + RAM.get(1) + ": the files were swapped", this::check);
    }

    @Test
    void filesOfAnotherImageWithTheSameKeyAreTold() throws IOException {
        Path other = above.resolve("another");
        image(other, 2);
        for (String file : List.of("manifest.sig", "digests.0+900000.r0")) {
            byte[] own = Files.readAllBytes(folder.resolve(file));
            Files.copy(other.resolve(file), folder.resolve(file), StandardCopyOption.REPLACE_EXISTING);
            assertFault(Fault.CHANGED, file.equals("manifest.sig") ? "manifest.json" : file, this::check);
            Files.write(folder.resolve(file), own);
        }
        check();
    }

    @Test
    void holesAndZerosAreTheSame() throws IOException {
        Path ram = folder.resolve(RAM.getFirst().file());
        write(ram, 4 * MIB, new byte[MIB]);

        check();
        RamDigests digests = ImageSignature.digestsOf(
                ImageFolder.open(folder),
                ImageFolder.open(folder).manifest().ram().getFirst());
        assertThat(digests.ranges()).isEqualTo(5);
        assertThat(digests.isZero(2)).isTrue();
        assertThat(digests.isZero(0)).isFalse();
    }

    @Test
    void digestsThatAreMissingForeignOrNewerAreToldApart() throws IOException {
        Path digests = folder.resolve("digests.0+900000.r0");
        byte[] good = Files.readAllBytes(digests);
        byte[] newer = good.clone();
        newer[8] = 2;
        Files.write(digests, newer);
        assertFault(Fault.NEWER, "version 2", this::check);
        Files.writeString(digests, "nothing");
        assertFault(Fault.FOREIGN, "does not contain the digests", this::check);
        Files.write(digests, new byte[good.length + 1]);
        assertFault(Fault.FOREIGN, "larger", this::check);
        Files.delete(digests);
        assertFault(Fault.MISSING, "digests.0+900000.r0", this::check);
    }

    @Test
    void foreignAndNewerSignaturesAreToldApart() throws IOException {
        Path file = folder.resolve("manifest.sig");
        String good = Files.readString(file);
        for (String bad : List.of(
                "",
                "-----BEGIN PGP SIGNATURE-----",
                good + "more",
                good.replace("key: ", "key: 0"),
                good.substring(0, 90))) {
            Files.writeString(file, bad);
            assertFault(Fault.FOREIGN, "not a signature of an image", this::check);
        }
        Files.writeString(file, "exomem image signature 2\nwhatever\n");
        assertFault(Fault.NEWER, "version 2", this::check);
        char digit = good.charAt(good.length() - 10);
        Files.writeString(
                file,
                good.substring(0, good.length() - 10) + (digit == 'A' ? 'B' : 'A') + good.substring(good.length() - 9));
        assertFault(Fault.CHANGED, "changed", this::check);
    }

    @Test
    void secretThatOthersCanReadIsRefused() throws IOException {
        Path secret = keys.resolve(SigningKey.SECRET);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(secret)))
                .isEqualTo("rw-------");
        assertThat(SigningKey.read(secret).check().fingerprint()).isEqualTo(check.fingerprint());
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-r-----"));

        assertThatThrownBy(() -> SigningKey.read(secret)).hasMessageContaining("chmod 600 " + secret);
    }

    @Test
    void keysAreNotOverwrittenAndBadOnesAreTold() throws IOException {
        assertFault(Fault.EXISTS, "not overwritten", () -> SigningKey.make(keys));
        Path secret = keys.resolve(SigningKey.SECRET);
        Path open = keys.resolve(SigningKey.PUBLIC);
        assertThatThrownBy(() -> CheckingKey.read(secret)).hasMessageContaining("contains no Ed25519 public key");
        assertThatThrownBy(() -> CheckingKey.read(keys.resolve("none"))).hasMessageContaining("template key");
        Files.writeString(open, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
        assertThatThrownBy(() -> CheckingKey.read(open)).hasMessageContaining("damaged");
        Files.writeString(secret, "-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n");
        assertThatThrownBy(() -> SigningKey.read(secret)).hasMessageContaining("damaged");
    }

    @Test
    void opensslReadsTheKeysAndItsKeysAreRead() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/openssl")), "needs openssl");
        assertThat(openssl(
                        "pkey",
                        "-pubin",
                        "-noout",
                        "-text",
                        "-in",
                        keys.resolve(SigningKey.PUBLIC).toString()))
                .contains("ED25519");
        Path secret = above.resolve("key");
        Path open = above.resolve("pub");
        openssl("genpkey", "-algorithm", "ed25519", "-out", secret.toString());
        openssl("pkey", "-pubout", "-in", secret.toString(), "-out", open.toString());
        Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));

        assertThat(SigningKey.read(secret).check().fingerprint())
                .isEqualTo(CheckingKey.read(open).fingerprint());
        openssl("genpkey", "-algorithm", "ed448", "-out", secret.toString());
        assertThatThrownBy(() -> SigningKey.read(secret)).hasMessageContaining("not an Ed25519 key");
    }

    private static String openssl(String... words) throws Exception {
        Process process = new ProcessBuilder(Stream.concat(Stream.of("openssl"), List.of(words).stream())
                        .toList())
                .redirectErrorStream(true)
                .start();
        try {
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).as(output).isZero();
            return output;
        } finally {
            process.destroyForcibly();
        }
    }
}
