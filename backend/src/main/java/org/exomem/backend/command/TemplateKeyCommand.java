package org.exomem.backend.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.images.signature.SigningKey;

/** {@code exomem template key}. */
final class TemplateKeyCommand implements Command {
    private Path folder = Path.of("");

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Creates an Ed25519 key pair to sign and check templates.",
                "Never overwrites a file. " + SigningKey.SECRET
                        + " is secret: anyone who has it can sign templates. Copy " + SigningKey.PUBLIC
                        + " to each host that starts clones. OpenSSL can read both.");
        usage.parameter(
                "DIR", "The folder; created if it does not exist.", Completion.FILE, value -> folder = Path.of(value));
        usage.section("Examples", "  exomem template key /etc/exomem/keys");
    }

    @Override
    public int run(Streams streams) {
        try {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            SigningKey key = SigningKey.make(folder);
            streams.out().println("created " + folder.resolve(SigningKey.SECRET) + "; keep it secret");
            streams.out()
                    .println("created " + folder.resolve(SigningKey.PUBLIC) + ", fingerprint "
                            + key.check().fingerprint());
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
