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
                "Makes a pair of keys (Ed25519) with which templates are signed and checked.",
                "Nothing that exists is overwritten. " + SigningKey.SECRET
                        + " is secret: who has it can make templates. " + SigningKey.PUBLIC
                        + " goes to each host that starts clones. OpenSSL reads both.");
        usage.parameter(
                "DIR", "The folder; made if it is not there.", Completion.FILE, value -> folder = Path.of(value));
        usage.section("Examples", "  exomem template key /etc/exomem/keys");
    }

    @Override
    public int run(Streams streams) {
        try {
            Files.createDirectories(
                    folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            SigningKey key = SigningKey.make(folder);
            streams.out().println("made " + folder.resolve(SigningKey.SECRET) + "; keep it secret");
            streams.out()
                    .println("made " + folder.resolve(SigningKey.PUBLIC) + ", fingerprint "
                            + key.check().fingerprint());
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
