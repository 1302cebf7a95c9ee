package org.exomem.conform.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.conform.explore.Explorer;
import org.exomem.conform.explore.Finding;
import org.exomem.conform.explore.Script;
import org.exomem.conform.explore.ScriptText;
import org.jspecify.annotations.Nullable;

/** {@code exomem conform --explore} and {@code --replay}. */
final class Exploration {
    private final Explorer explorer;
    private final Streams streams;

    Exploration(Explorer explorer, Streams streams) {
        this.explorer = explorer;
        this.streams = streams;
    }

    int explore(long seed, long count, @Nullable Path file) throws IOException {
        Optional<Explorer.Discovery> discovery;
        try (Display display = new Display("scripts")) {
            display.begin(count);
            discovery = explorer.explore(seed, count, each -> display.step());
        }
        if (discovery.isEmpty()) {
            streams.out()
                    .println(
                            "the back-end survived " + count + " scripts, seeds " + seed + " to " + (seed + count - 1));
            return ExitCode.OK;
        }
        show(discovery.get(), file);
        return ExitCode.FAILED;
    }

    private void show(Explorer.Discovery discovery, @Nullable Path file) throws IOException {
        Script script = discovery.script();
        String text =
                "# " + discovery.finding().kind() + ", from seed " + discovery.seed() + "\n" + ScriptText.write(script);
        streams.out()
                .println("seed " + discovery.seed() + ": " + discovery.finding().message());
        streams.out()
                .println("the script, shortened to " + script.steps().size() + " of " + discovery.steps() + " steps:");
        streams.out().println();
        streams.out().print(text);
        if (file == null) {
            streams.note("to repeat it, save it to a file, or run again with --script FILE");
        } else {
            Files.writeString(file, text);
            streams.note("to repeat it: --replay " + file);
        }
    }

    int replay(Path file) {
        Script script;
        try {
            script = ScriptText.read(Files.readAllLines(file));
        } catch (IOException | IllegalArgumentException e) {
            throw new CommandFailure(ExitCode.FAILED, "the script " + file + " can't be read: " + e.getMessage());
        }
        Optional<Finding> finding = explorer.replay(script);
        streams.out()
                .println(finding.map(each -> each.kind() + ": " + each.message())
                        .orElse("the back-end survived " + script.steps().size() + " steps"));
        return finding.isEmpty() ? ExitCode.OK : ExitCode.FAILED;
    }
}
