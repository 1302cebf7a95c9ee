package org.exomem.backend.command;

import java.io.IOException;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.top.TopScreen;
import org.exomem.backend.top.TopTerminal;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.AttributedString;
import org.jspecify.annotations.Nullable;

/** {@code exomem top}. */
final class TopCommand implements Command {
    private static final int COLOURS = 256;
    private static final int COLUMNS = 120;
    private static final int ROWS = 40;

    private final ControlOption control = new ControlOption();
    private @Nullable String vm;
    private boolean once;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Shows all VMs live: sizes, host memory in use, memory available in guests, migrations.",
                "Enter opens the map of a VM's memory, in cells coloured by the state of their pages. + and - zoom,"
                        + " arrows move, Esc goes back, q quits. With NO_COLOR set, cells are letters.");
        usage.optionalParameter("VM", "Opens the map of this VM.", Completion.VM, value -> vm = value);
        usage.flag("--once", "Prints the screen once and ends.", () -> once = true);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) {
        return control.connect(session -> {
            if (vm != null) {
                session.known(vm);
            }
            return once ? printOnce(session.client(), streams) : watch(session.client());
        });
    }

    private static boolean colours() {
        String none = System.getenv("NO_COLOR");
        String term = System.getenv("TERM");
        return (none == null || none.isEmpty()) && term != null && !term.equals("dumb");
    }

    private TopScreen screen(QmpClient client, boolean colours) {
        TopScreen screen = new TopScreen(client, colours);
        if (vm != null) {
            screen.open(vm);
        }
        return screen;
    }

    private int printOnce(QmpClient client, Streams streams) throws IOException {
        boolean colours =
                colours() && System.console() != null && System.console().isTerminal();
        TopScreen screen = screen(client, colours);
        screen.look(COLUMNS, ROWS);
        for (AttributedString line : screen.draw(COLUMNS + COLUMNS, ROWS, false)) {
            streams.out()
                    .println(
                            colours
                                    ? line.toAnsi(COLOURS, AttributedString.ForceMode.Force256Colors)
                                    : line.toString().stripTrailing());
        }
        return ExitCode.OK;
    }

    private int watch(QmpClient client) throws IOException {
        try (Terminal terminal = TerminalBuilder.builder()
                .name("exomem top")
                .system(true)
                .dumb(false)
                .nativeSignals(true)
                .signalHandler(Terminal.SignalHandler.SIG_DFL)
                .build()) {
            new TopTerminal(terminal, screen(client, colours())).run();
            return ExitCode.OK;
        } catch (IllegalStateException e) {
            throw new CommandFailure(
                    ExitCode.FAILED, "the output is not a terminal; \"exomem top --once\" prints the" + " screen once");
        }
    }
}
