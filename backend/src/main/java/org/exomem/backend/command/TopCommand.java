package org.exomem.backend.command;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.top.Keys;
import org.exomem.backend.top.TopScreen;
import org.exomem.backend.top.TopScreen.Key;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.AttributedString;
import org.jline.utils.Display;
import org.jline.utils.InfoCmp.Capability;
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
                "Shows all VMs live: sizes, what the host holds, what guests have available, migrations.",
                "Enter opens the map of a VM's memory, in cells coloured by what their pages are. + and - zoom, arrows"
                        + " move, Esc goes back, q quits. With NO_COLOR set, cells are letters.");
        usage.optionalParameter("VM", "Opens the map of this one.", Completion.VM, value -> vm = value);
        usage.flag("--once", "Prints one picture and ends.", () -> once = true);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) {
        return control.connect(session -> {
            if (vm != null && session.vm(vm).isMissingNode()) {
                throw new CommandFailure(ExitCode.FAILED, "there is no VM \"" + vm + "\"");
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
            return new Watch(terminal, screen(client, colours())).run();
        } catch (IllegalStateException e) {
            throw new CommandFailure(ExitCode.FAILED, "this is no terminal; \"exomem top --once\" prints one picture");
        }
    }

    /** A terminal on which the screen is shown until it is quit. */
    private static final class Watch {
        private final Terminal terminal;
        private final TopScreen screen;
        private final Display display;
        private int lastColumns;
        private int lastRows;

        Watch(Terminal terminal, TopScreen screen) {
            this.terminal = terminal;
            this.screen = screen;
            this.display = new Display(terminal, true);
        }

        int run() throws IOException {
            Attributes before = terminal.enterRawMode();
            terminal.puts(Capability.enter_ca_mode);
            terminal.puts(Capability.cursor_invisible);
            terminal.puts(Capability.keypad_xmit);
            try {
                Keys keys = new Keys(terminal.reader());
                boolean goesOn = true;
                while (goesOn) {
                    Size size = terminal.getSize();
                    int columns = Math.max(1, size.getColumns());
                    int rows = Math.max(1, size.getRows());
                    screen.look(columns, rows);
                    draw(columns, rows);
                    Optional<Key> key = keys.next(screen.pace());
                    goesOn = key.isEmpty() || screen.press(key.get());
                }
                return ExitCode.OK;
            } finally {
                terminal.setAttributes(before);
                terminal.puts(Capability.keypad_local);
                terminal.puts(Capability.cursor_visible);
                terminal.puts(Capability.exit_ca_mode);
                terminal.flush();
            }
        }

        private void draw(int columns, int rows) {
            if (columns != lastColumns || rows != lastRows) {
                display.resize(rows, columns);
                display.clear();
                lastColumns = columns;
                lastRows = rows;
            }
            List<AttributedString> lines = screen.draw(columns, rows, true);
            display.update(lines, 0);
        }
    }
}
