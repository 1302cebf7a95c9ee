package org.exomem.backend.top;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.map.MapRange;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.ui.Overview;
import org.exomem.cli.text.VisibleText;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStyle;
import org.jspecify.annotations.Nullable;

/** The screen of {@code exomem top}, and its keys. For one thread. */
public final class TopScreen {
    /** A key with a function. */
    public enum Key {
        UP,
        DOWN,
        LEFT,
        RIGHT,
        ENTER,
        BACK,
        PLUS,
        MINUS,
        HOME,
        QUIT,
        OTHER
    }

    /** The lines around the cells of a map: title, migration, kinds, keys. */
    private static final int AROUND_MAP = 12;

    private static final int AROUND_VMS = 6;

    private final QmpClient client;
    private final Overview overview;
    private final Colours colours;
    private final VmsPicture vmsPicture;
    private final MapPicture mapPicture;

    private List<ObjectNode> vms = List.of();
    private String chosen = "";
    private boolean open;
    private Zoom zoom = Zoom.ALL;
    private @Nullable JsonNode map;
    private String problem = "";

    /**
     * A screen of all VMs.
     *
     * @param client of the process; remains the caller's
     * @param colours whether to use 256 colours
     */
    public TopScreen(QmpClient client, boolean colours) {
        this.client = client;
        this.overview = new Overview(client);
        this.colours = new Colours(colours);
        this.vmsPicture = new VmsPicture(this.colours);
        this.mapPicture = new MapPicture(this.colours);
    }

    /**
     * Fetches the present state from the process.
     *
     * @throws IOException if the connection has ended
     */
    public void look(int columns, int rows) throws IOException {
        vms = overview.look();
        if (index() < 0) {
            open = false;
            chosen = vms.isEmpty() ? "" : vms.getFirst().path("name").asText();
        }
        if (open) {
            int cells = MapPicture.columns(columns) * Math.max(2, rows - AROUND_MAP);
            try {
                map = client.execute("query-memory-map", zoom.arguments(chosen, Math.min(MapRange.MOST_CELLS, cells)));
                problem = "";
            } catch (QmpException e) {
                map = null;
                problem = String.valueOf(e.getMessage());
            }
        }
    }

    private int index() {
        for (int i = 0; i < vms.size(); i++) {
            if (vms.get(i).path("name").asText().equals(chosen)) {
                return i;
            }
        }
        return -1;
    }

    /** Opens a VM, if it exists. */
    public void open(String vm) {
        chosen = vm;
        open = true;
        zoom = Zoom.ALL;
        map = null;
    }

    /** Handles a key. Returns false if it ends the command. */
    public boolean press(Key key) {
        JsonNode shown = map;
        if (key == Key.QUIT) {
            return false;
        }
        if (!open) {
            switch (key) {
                case UP -> choose(-1);
                case DOWN -> choose(1);
                case ENTER, RIGHT -> open(chosen);
                default -> {}
            }
        } else if (key == Key.BACK) {
            open = false;
        } else if (shown != null) {
            zoom = switch (key) {
                case PLUS, ENTER -> zoom.in(shown);
                case MINUS -> zoom.out(shown);
                case LEFT -> zoom.move(shown, -1);
                case RIGHT -> zoom.move(shown, 1);
                case UP -> zoom.move(shown, -4);
                case DOWN -> zoom.move(shown, 4);
                case HOME -> Zoom.ALL;
                default -> zoom;
            };
        }
        return true;
    }

    private void choose(int step) {
        if (!vms.isEmpty()) {
            int next = Math.clamp(index() + step, 0, vms.size() - 1);
            chosen = vms.get(next).path("name").asText();
        }
    }

    /** The time until the next {@link #look}. */
    public Duration pace() {
        return open || vms.stream().anyMatch(vm -> Overview.isUnderWay(vm.path("migration")))
                ? Duration.ofMillis(500)
                : Duration.ofSeconds(1);
    }

    /**
     * The picture, at most this many lines and columns.
     *
     * @param keys whether to explain the keys
     */
    public List<AttributedString> draw(int columns, int rows, boolean keys) {
        Lines lines = new Lines();
        if (open) {
            drawMap(lines, columns);
        } else {
            vmsPicture.draw(lines, vms, keys ? index() : -1, keys ? Math.max(1, rows - AROUND_VMS) : vms.size());
            if (vms.isEmpty()) {
                lines.end()
                        .add("  No VM is served; \"exomem add\" serves one.", colours.dim())
                        .end();
            }
        }
        if (keys) {
            lines.end()
                    .add(
                            open
                                    ? "  + − zoom   ← → ↑ ↓ move   Home all   Esc back   q quit"
                                    : "  ↑ ↓ choose   Enter map of memory   q quit",
                            colours.dim())
                    .end();
        }
        List<AttributedString> all = lines.all(columns);
        return keys ? all.subList(0, Math.min(all.size(), rows)) : all;
    }

    private void drawMap(Lines lines, int columns) {
        int at = index();
        JsonNode vm = at < 0 ? Json.object() : vms.get(at);
        JsonNode shown = map;
        lines.add(VisibleText.lines(chosen), AttributedStyle.BOLD);
        if (shown != null) {
            long from = shown.path("from").asLong();
            long length = shown.path("length").asLong();
            lines.add(
                    String.format(
                            "  %#x – %#x  %s in cells of %s",
                            from,
                            from + length,
                            ByteSize.format(length),
                            ByteSize.format(shown.path("cell").asLong())),
                    colours.dim());
        }
        lines.end();
        if (vm.has("migration")) {
            vmsPicture.migration(lines, vm.path("migration"), Math.max(10, Math.min(60, columns - 30)));
            String why = vm.path("migration").path("why").asText();
            lines.add(why.isEmpty() ? "" : ": " + VisibleText.lines(why)).end();
        }
        lines.end();
        if (shown != null) {
            mapPicture.draw(lines, shown, MapPicture.columns(columns));
        } else {
            lines.add("  " + VisibleText.lines(problem), colours.bad()).end();
        }
    }
}
