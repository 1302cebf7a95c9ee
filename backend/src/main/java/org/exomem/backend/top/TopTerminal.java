package org.exomem.backend.top;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.exomem.backend.top.TopScreen.Key;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.utils.AttributedString;
import org.jline.utils.Display;
import org.jline.utils.InfoCmp.Capability;

/** Shows the screen on a terminal until it is closed. For one thread. */
public final class TopTerminal {
    private final Terminal terminal;
    private final TopScreen screen;
    private final Display display;
    private int lastColumns;
    private int lastRows;

    public TopTerminal(Terminal terminal, TopScreen screen) {
        this.terminal = terminal;
        this.screen = screen;
        this.display = new Display(terminal, true);
    }

    /**
     * Shows the screen until a key ends it, or the terminal closes.
     *
     * @throws IOException if the connection to the process has ended; the terminal is restored
     */
    public void run() throws IOException {
        Attributes before = terminal.enterRawMode();
        Attributes keys = new Attributes(terminal.getAttributes());
        // Ctrl-C is read as a key: as a signal it would not restore the terminal.
        keys.setLocalFlag(Attributes.LocalFlag.ISIG, false);
        terminal.setAttributes(keys);
        terminal.puts(Capability.enter_ca_mode);
        terminal.puts(Capability.cursor_invisible);
        terminal.puts(Capability.keypad_xmit);
        try {
            Keys pressed = new Keys(terminal.reader());
            boolean goesOn = true;
            while (goesOn) {
                Size size = terminal.getSize();
                int columns = Math.max(1, size.getColumns());
                int rows = Math.max(1, size.getRows());
                screen.look(columns, rows);
                draw(columns, rows);
                Optional<Key> key = pressed.next(screen.pace());
                goesOn = key.isEmpty() || screen.press(key.get());
            }
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
