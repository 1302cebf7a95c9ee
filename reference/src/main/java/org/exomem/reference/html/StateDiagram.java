package org.exomem.reference.html;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The states of one side of a protocol and the transitions between them. The chapters write them in code blocks that
 * are marked as {@code states}: a line {@code FROM -> TO: what happens} for each transition, where {@code *} is any
 * state. The drawing has a column for each state and, from top to bottom, an arrow for each transition, in the order of
 * the lines.
 */
final class StateDiagram {
    private static final Pattern LINE = Pattern.compile("(?<from>[^>]+?) -> (?<to>[^:]+): (?<what>.*)");
    private static final String ANY = "*";
    /** With more states than this, columns are narrow. */
    private static final int MANY = 4;

    private static final int MARGIN = 20;
    private static final int BOX = 32;
    private static final int TOP = 12;
    private static final int ROW = 40;
    /** The approximate width of a letter of the text at the arrows. */
    private static final double LETTER = 6.6;

    private record Transition(String from, String to, String what) {}

    private final List<Transition> transitions = new ArrayList<>();
    private final List<String> states = new ArrayList<>();
    private final StringBuilder svg = new StringBuilder();

    private final int column;

    private StateDiagram(String block) {
        Set<String> names = new LinkedHashSet<>();
        for (String line : block.split("\n", -1)) {
            if (line.isBlank()) {
                continue;
            }
            Matcher parts = LINE.matcher(line.strip());
            if (!parts.matches()) {
                throw new IllegalArgumentException("\"" + line + "\" is not of the form \"FROM -> TO: what happens\"");
            }
            transitions.add(new Transition(parts.group("from"), parts.group("to"), parts.group("what")));
            names.add(parts.group("from"));
            names.add(parts.group("to"));
        }
        names.remove(ANY);
        states.addAll(names);
        column = states.size() > MANY ? 144 : 190;
    }

    /** The drawing, and the same as a list for screen readers. */
    static String html(String block, Addresses addresses) {
        StateDiagram diagram = new StateDiagram(block);
        return "<figure class=\"states\"><div class=\"scroll\" tabindex=\"0\">" + diagram.draw() + "</div>"
                + diagram.list(addresses) + "</figure>";
    }

    private String list(Addresses addresses) {
        StringBuilder html = new StringBuilder("<details><summary>The same as a list</summary><ul>\n");
        for (Transition each : transitions) {
            html.append("<li>")
                    .append(Html.escape(each.from.equals(ANY) ? "any state" : each.from))
                    .append(" → ");
            html.append(Html.escape(each.to))
                    .append(": ")
                    .append(addresses.linked(each.what))
                    .append("</li>\n");
        }
        return html.append("</ul></details>").toString();
    }

    private int x(int state) {
        return MARGIN + column / 2 + state * column;
    }

    private String draw() {
        int width = 2 * MARGIN + states.size() * column;
        for (Transition each : transitions) {
            width = Math.max(width, (int) Math.ceil(right(each)) + MARGIN);
        }
        int bottom = TOP + BOX + transitions.size() * ROW + 14;
        svg.append("<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" aria-hidden=\"true\">"
                .formatted(width, bottom, width, bottom));
        for (int i = 0; i < states.size(); i++) {
            svg.append("<line class=\"life\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" />"
                    .formatted(x(i), TOP + BOX, x(i), bottom));
        }
        for (int i = 0; i < states.size(); i++) {
            String name = states.get(i);
            double half = Math.clamp(name.length() * 8.0 / 2 + 14, 44, column / 2.0 - 4);
            svg.append("<rect class=\"state\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"8\" />"
                    .formatted(x(i) - half, TOP, 2 * half, BOX));
            svg.append("<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>".formatted(x(i), TOP + 21, Html.escape(name)));
        }
        for (int i = 0; i < transitions.size(); i++) {
            arrow(transitions.get(i), TOP + BOX + i * ROW + 32);
        }
        return svg.append("</svg>").toString();
    }

    /**
     * The right end of an arrow's text. The text begins at the middle of the arrow, or beside it for a transition back
     * to the same state.
     */
    private double right(Transition each) {
        double length = each.what.length() * LETTER;
        int to = x(states.indexOf(each.to));
        if (each.from.equals(each.to)) {
            return to + 40 + length;
        }
        return Math.max(MARGIN + length, middle(each) + length / 2);
    }

    private double middle(Transition each) {
        int from = each.from.equals(ANY) ? MARGIN : x(states.indexOf(each.from));
        double middle = (from + x(states.indexOf(each.to))) / 2.0;
        // A text that is longer than its arrow must not begin left of the drawing.
        return Math.max(middle, MARGIN / 2.0 + each.what.length() * LETTER / 2);
    }

    private void arrow(Transition each, int y) {
        int to = x(states.indexOf(each.to));
        String what = Html.escape(each.what);
        if (each.from.equals(each.to)) {
            svg.append("<path class=\"way\" d=\"M%d %d h24 v14 h-18\" />".formatted(to, y - 10));
            head(to, y + 4, -1);
            svg.append("<circle class=\"from\" cx=\"%d\" cy=\"%d\" r=\"3.5\" />".formatted(to, y - 10));
            svg.append("<text class=\"what beside\" x=\"%d\" y=\"%d\">%s</text>".formatted(to + 32, y + 1, what));
            return;
        }
        boolean any = each.from.equals(ANY);
        int from = any ? MARGIN / 2 : x(states.indexOf(each.from));
        int step = from < to ? 1 : -1;
        svg.append("<path class=\"way%s\" d=\"M%d %d H%d\" />".formatted(any ? " any" : "", from, y, to - step * 6));
        head(to, y, step);
        svg.append("<circle class=\"from\" cx=\"%d\" cy=\"%d\" r=\"3.5\" />".formatted(from, y));
        String text = any ? "any: " + what : what;
        svg.append("<text class=\"what\" x=\"%.1f\" y=\"%d\">%s</text>".formatted(middle(each), y - 7, text));
    }

    private void head(int x, int y, int step) {
        svg.append("<path class=\"head\" d=\"M%d %d l%d -5 v10 z\" />".formatted(x, y, -step * 9));
    }
}
