package org.exomem.backend.command;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.template.TemplateFiles;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.signature.CheckingKey;
import org.exomem.images.signature.ImageSignature;
import org.jspecify.annotations.Nullable;

/** {@code exomem template check}. */
final class TemplateCheckCommand implements Command {
    private final TemplatesOption templates = new TemplatesOption();
    private String name = "";
    private @Nullable Path trust;

    @Override
    public void describe(Usage usage) {
        usage.does("Reads all of a template, and checks that it is unchanged.");
        usage.parameter("NAME", "The template's name.", Completion.NOTHING, value -> name = value);
        usage.path(
                "--trust",
                "FILE",
                "Also checks that it is signed with the secret key of this public key.",
                value -> trust = value);
        templates.describe(usage);
        usage.section("Examples", "  exomem template check web-1.4 --trust /etc/exomem/keys/template-key.pub");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        try {
            ImageFolder image = templates.templates().open(name);
            Optional<CheckingKey> key = trust == null ? Optional.empty() : Optional.of(CheckingKey.read(trust));
            if (key.isPresent()) {
                ImageSignature.check(image, key.get());
            }
            TemplateFiles files = TemplateFiles.of(image);
            files.expectNoWriter();
            ImageSignature.checkRam(image);
            Optional<String> change = files.change();
            if (change.isPresent()) {
                throw new CommandFailure(ExitCode.FAILED, "the template is being changed: " + change.get());
            }
            streams.out()
                    .println("template \"" + name + "\" of "
                            + ByteSize.format(image.manifest().ramBytes()) + " is unchanged"
                            + key.map(signer -> ", and signed with the key " + signer.fingerprint())
                                    .orElse(""));
            return ExitCode.OK;
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }
}
