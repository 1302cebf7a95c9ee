package org.exomem.reference.html;

import java.util.OptionalInt;

/** A layout as a drawing of its bytes, eight in a row, and a table of its fields. */
final class LayoutDiagram {
    private static final int ROW = 8;
    /** A field with at least this many bytes is drawn as one cell. */
    private static final int LONG = 3 * ROW;

    private final StringBuilder html = new StringBuilder();

    private LayoutDiagram() {}

    static String html(String block, Addresses addresses) {
        LayoutDiagram diagram = new LayoutDiagram();
        diagram.html.append("<div class=\"layouts\">");
        for (Layout layout : Layout.parse(block)) {
            diagram.structure(layout, addresses);
        }
        return diagram.html.append("</div>").toString();
    }

    private void structure(Layout layout, Addresses addresses) {
        html.append("<figure class=\"layout\">");
        if (!layout.title().isEmpty()) {
            html.append("<figcaption>").append(Html.escape(layout.title())).append("</figcaption>");
        }
        bytes(layout);
        boolean meant = layout.fields().stream().anyMatch(field -> !field.text().isEmpty());
        html.append(
                "<div class=\"scroll\"><table class=\"fields\"><thead><tr><th class=\"number\">at</th><th>type</th>");
        html.append("<th>field</th>").append(meant ? "<th>meaning</th>" : "").append("</tr></thead><tbody>\n");
        for (Layout.Field field : layout.fields()) {
            OptionalInt offset = field.offset();
            html.append("<tr><td class=\"number\">").append(offset.isPresent() ? offset.getAsInt() : "…");
            html.append("</td><td>").append(Html.escape(field.type()));
            html.append("</td><td><code>").append(Html.escape(field.name()));
            html.append("</code></td>");
            html.append(meant ? "<td>" + addresses.prose(field.text()) + "</td>" : "")
                    .append("</tr>\n");
        }
        html.append("</tbody></table></div></figure>\n");
    }

    /** The drawing. The table below it contains the same information, so the drawing is hidden from screen readers. */
    private void bytes(Layout layout) {
        html.append("<div class=\"bytes\" aria-hidden=\"true\"><span class=\"at\"></span>");
        for (int i = 0; i < ROW; i++) {
            html.append("<span class=\"head\">").append(i).append("</span>");
        }
        int end = 0;
        for (int i = 0; i < layout.fields().size(); i++) {
            Layout.Field field = layout.fields().get(i);
            OptionalInt size = layout.size(i);
            if (field.offset().isEmpty()) {
                rest(end);
                open("", field.name());
                end = 0;
            } else {
                int offset = field.offset().getAsInt();
                if (offset > end) {
                    cells(end, offset, "", "gap");
                }
                if (size.isPresent()) {
                    end = offset + size.getAsInt();
                    cells(offset, end, field.name(), field.type().isEmpty() ? "field untyped" : "field");
                } else {
                    rest(offset);
                    open(String.valueOf(offset), field.name());
                    end = 0;
                }
            }
        }
        rest(end);
        html.append("</div>\n");
    }

    /** An empty cell up to the end of a row. */
    private void rest(int from) {
        if (from % ROW != 0) {
            cell(ROW - from % ROW, "", "none");
        }
    }

    /** A row for a field without an end, or without a fixed position. */
    private void open(String at, String name) {
        html.append("<span class=\"at\">").append(at).append("</span>");
        cell(ROW, name, "field open");
    }

    /** A range of bytes, split at the ends of rows. The widest piece has the name. */
    private void cells(int from, int to, String name, String kind) {
        boolean named = false;
        int at = from;
        while (at < to) {
            boolean begins = at % ROW == 0;
            if (begins) {
                html.append("<span class=\"at\">").append(at).append("</span>");
            }
            if (begins && to - at >= LONG) {
                int rows = (to - at) / ROW * ROW;
                cell(ROW, (name + " · " + rows + " bytes").replaceFirst("^ · ", ""), kind + " long");
                named = true;
                at += rows;
            } else {
                int piece = Math.min(to - at, ROW - at % ROW);
                boolean widest = piece >= to - at - piece;
                cell(piece, !named && widest ? name : "", kind + (at > from ? " goes-on" : ""));
                named |= widest;
                at += piece;
            }
        }
    }

    private void cell(int width, String name, String kind) {
        html.append("<span class=\"")
                .append(kind)
                .append("\" style=\"grid-column: span ")
                .append(width);
        html.append("\" title=\"")
                .append(Html.escape(name))
                .append("\">")
                .append(Html.escape(name))
                .append("</span>");
    }
}
