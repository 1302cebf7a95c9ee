package org.exomem.benchmarks;

import java.util.List;
import java.util.Locale;

/** Times and bytes of migrations as a bar chart, for the report. */
final class MigrationPicture {
    private static final int LABELS = 230;
    private static final int BARS = 250;
    private static final int GAP = 90;
    private static final int ROW = 26;
    private static final int WIDTH = LABELS + 2 * (BARS + GAP);

    /** One migration; times in ms, amount in MiB. */
    record Bar(String title, double time, double mebibytes, double downtime) {}

    /** Migrations of guests in the same state. */
    record Group(String title, List<Bar> bars) {}

    private MigrationPicture() {}

    static String svg(long memory, List<Group> groups) {
        double longest = 1;
        double most = 1;
        int rows = 1;
        for (Group group : groups) {
            rows += group.bars.size() + 2;
            for (Bar bar : group.bars) {
                longest = Math.max(longest, bar.time);
                most = Math.max(most, bar.mebibytes);
            }
        }
        StringBuilder svg = new StringBuilder();
        line(
                svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\">",
                WIDTH,
                rows * ROW + 10);
        line(svg, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>");
        int y = ROW;
        text(svg, LABELS, y, "bold", "time, and the pause in red (ms)");
        text(svg, LABELS + BARS + GAP, y, "bold", "transferred memory (MiB)");
        for (Group group : groups) {
            y += ROW + 8;
            text(svg, 8, y, "bold", memory / 1024 + " GiB: " + group.title);
            for (Bar bar : group.bars) {
                y += ROW;
                text(svg, 16, y, "normal", bar.title);
                String colour = bar.title.startsWith("QEMU") ? "#9aa5b1" : "#2f7ed8";
                bar(svg, LABELS, y, bar.time / longest, colour, bar.time);
                line(
                        svg,
                        "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"6\" fill=\"#c0392b\"/>",
                        LABELS,
                        y + 1,
                        bar.downtime / longest * BARS);
                bar(svg, LABELS + BARS + GAP, y, bar.mebibytes / most, colour, bar.mebibytes);
            }
        }
        return svg.append("</svg>\n").toString();
    }

    private static void bar(StringBuilder svg, int x, int y, double part, String colour, double value) {
        double width = Math.max(1, part * BARS);
        line(svg, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>", x, y - 13, width, colour);
        line(svg, "<text x=\"%.1f\" y=\"%d\">%.0f</text>", x + width + 6, y, value);
    }

    private static void text(StringBuilder svg, int x, int y, String weight, String what) {
        line(svg, "<text x=\"%d\" y=\"%d\" font-weight=\"%s\">%s</text>", x, y, weight, what);
    }

    private static void line(StringBuilder svg, String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values)).append('\n');
    }
}
