package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.exomem.cli.options.ExitCode;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PkiCommandTest {
    @TempDir
    Path folder;

    @Test
    void initMakesAnAuthorityAndAFolderForEachHost() throws Exception {
        Path pki = folder.resolve("pki");
        Ran ran = Ran.of("pki", "init", pki.toString(), "--host", "alpha", "--host", "10.0.0.7");
        assertThat(ran.err()).isEmpty();
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).contains("created the authority", "copy " + pki.resolve("alpha"));
        for (Path key : List.of(pki.resolve("ca-key.pem"), pki.resolve("alpha/host-key.pem"))) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key)))
                    .isEqualTo("rw-------");
        }
        assertThat(CertificateSecurity.of(pki.resolve("10.0.0.7")).protects()).isTrue();
    }

    @Test
    void initAddsHostsLaterAndOverwritesNothing() throws Exception {
        assertThat(Ran.of("pki", "init", folder.toString(), "--host", "alpha").code())
                .isZero();
        byte[] authority = Files.readAllBytes(folder.resolve("ca-key.pem"));
        Ran more = Ran.of("pki", "init", folder.toString(), "--host", "beta");
        assertThat(more.code()).isZero();
        assertThat(more.out()).contains("using the authority");
        Ran again = Ran.of("pki", "init", folder.toString(), "--host", "alpha");
        assertThat(again.code()).isEqualTo(ExitCode.FAILED);
        assertThat(again.err()).contains("host alpha already has a certificate");
        assertThat(Files.readAllBytes(folder.resolve("ca-key.pem"))).isEqualTo(authority);
    }

    @Test
    void aNameThatLeavesTheFolderIsRefusedBeforeAnythingIsMade() {
        Ran ran = Ran.of("pki", "init", folder.toString(), "--host", "alpha", "--host", "../evil");
        assertThat(ran.code()).isEqualTo(ExitCode.USAGE);
        assertThat(ran.err()).contains("neither a host name nor an IP address");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void aFolderThatCannotBeMadeIsToldWithTheReason() throws Exception {
        assertThat(Ran.of("pki", "init", "/proc/foo", "--host", "alpha").err())
                .contains("can't create the folder /proc/foo: no folder can be created there");
        Path file = Files.createFile(folder.resolve("file"));
        assertThat(Ran.of("pki", "init", file.toString(), "--host", "alpha").err())
                .contains("can't create the folder " + file + ": it is a file");
    }

    @Test
    void anAuthorityWithoutItsKeyIsToldAsThat() throws Exception {
        Ran.of("pki", "init", folder.toString(), "--host", "alpha");
        Files.delete(folder.resolve("ca-key.pem"));
        Ran ran = Ran.of("pki", "init", folder.toString(), "--host", "beta");
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err())
                .contains("the folder " + folder + " has ca-cert.pem but no ca-key.pem")
                .doesNotContain("pki init\" makes it");
    }
}
