package org.exomem.backend.top;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Locale;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.map.PageKind;
import org.exomem.backend.ui.Overview;
import org.exomem.cli.text.VisibleText;
import org.jline.utils.AttributedStyle;

/** All VMs, one per line. */
final class VmsPicture {
    private static final int BAR = 16;
    private static final int SIZE = 11;
    private static final int NAME = 16;
    private static final AttributedStyle PLAIN = AttributedStyle.DEFAULT;

    private final Colours colours;

    VmsPicture(Colours colours) {
        this.colours = colours;
    }

    /**
     * Draws the VMs.
     *
     * @param vms the result of {@link Overview#look}
     * @param chosen the index of the one to mark, -1 for none
     * @param rows the number of lines for VMs; those around the chosen one are shown
     */
    void draw(Lines lines, List<? extends JsonNode> vms, int chosen, int rows) {
        lines.add("exomem", AttributedStyle.BOLD)
                .add("  " + vms.size() + (vms.size() == 1 ? " VM" : " VMs") + "  memory ", colours.dim())
                .add(ByteSize.format(sum(vms, "memory")))
                .add("  guests have ", colours.dim())
                .add(ByteSize.format(sum(vms, "actual")))
                .add("  host holds ", colours.dim())
                .add(ByteSize.format(sum(vms, "host")))
                .end()
                .end();
        lines.add("  ").left("VM", NAME, colours.dim()).left("  IN USE", BAR + 2, colours.dim());
        for (String column : List.of("MEMORY", "GUEST HAS", "TARGET", "HOST HOLDS", "AVAILABLE", "PLUGGED")) {
            lines.right(column, SIZE, colours.dim());
        }
        lines.add("  MIGRATION", colours.dim()).end();
        int first = Math.max(0, Math.min(chosen - rows / 2, vms.size() - rows));
        for (int i = first; i < Math.min(vms.size(), first + rows); i++) {
            line(lines, vms.get(i), i == chosen);
        }
    }

    private static long sum(List<? extends JsonNode> vms, String key) {
        return vms.stream().mapToLong(vm -> vm.path(key).asLong()).sum();
    }

    private void line(Lines lines, JsonNode vm, boolean chosen) {
        AttributedStyle name = chosen ? AttributedStyle.BOLD.inverse() : AttributedStyle.BOLD;
        lines.add(chosen ? "▸ " : "  ")
                .left(VisibleText.lines(vm.path("name").asText()), NAME, name)
                .add("  ");
        long memory = vm.path("memory").asLong();
        if (memory == 0) {
            String state = vm.path("state").asText();
            lines.left(state.equals("waiting") ? "waiting for its VMM" : state, BAR + 6 * SIZE + 2, colours.dim());
            migration(lines, vm.path("migration"), BAR);
            lines.end();
            return;
        }
        int host = cells(vm.path("host").asLong(), memory);
        int balloon = Math.min(BAR - host, cells(vm.path("ballooned").asLong(), memory));
        lines.add("█".repeat(host), colours.foreground(PLAIN, PageKind.USED))
                .add((colours.many() ? "█" : "B").repeat(balloon), colours.foreground(PLAIN, PageKind.BALLOON))
                .add("░".repeat(BAR - host - balloon), colours.dim());
        size(lines, vm, "memory", PLAIN);
        size(lines, vm, "actual", PLAIN);
        size(lines, vm, "target", PLAIN);
        size(lines, vm, "host", PLAIN);
        boolean low = vm.has("available")
                && vm.path("available").asLong() < vm.path("guest").asLong() / 10;
        size(lines, vm, "available", low ? colours.bad() : PLAIN);
        size(lines, vm, vm.path("region-size").asLong() > 0 ? "plugged" : "", PLAIN);
        lines.add("  ");
        migration(lines, vm.path("migration"), BAR);
        lines.end();
    }

    private static int cells(long bytes, long of) {
        return (int) Math.min(BAR, Math.round((double) bytes * BAR / of));
    }

    private void size(Lines lines, JsonNode vm, String key, AttributedStyle style) {
        boolean known = vm.has(key);
        lines.right(known ? ByteSize.format(vm.path(key).asLong()) : "–", SIZE, known ? style : colours.dim());
    }

    /** The progress of the migration, with a bar; nothing if there was none. */
    void migration(Lines lines, JsonNode migration, int width) {
        if (migration.isMissingNode()) {
            return;
        }
        long total = migration.path("total").asLong();
        double share = total == 0 ? 0 : (double) migration.path("done").asLong() / total;
        switch (migration.path("status").asText()) {
            case "completed" ->
                lines.add(
                        String.format(
                                Locale.ROOT,
                                "moved in %.1f s",
                                migration.path("time").asLong() / 1000.0),
                        colours.dim());
            case "failed", "cancelled" -> lines.add(migration.path("status").asText(), colours.bad());
            case "reconnecting" -> lines.add("connection lost, retrying", colours.bad());
            default -> {
                lines.bar(share, width, colours.foreground(PLAIN, PageKind.USED), colours.dim());
                lines.add(String.format(Locale.ROOT, " %3.0f %%", share * 100));
                long rate = migration.path("rate").asLong();
                if (rate > 0) {
                    lines.add(" " + ByteSize.format(rate) + "/s", colours.dim());
                }
            }
        }
    }
}
