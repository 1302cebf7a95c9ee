package org.exomem.cli.text;

import java.util.ArrayList;
import java.util.List;

/** Rows of text in columns as wide as their widest cell. Columns of numbers are right-aligned. */
public final class Table {
    private static final String GAP = "  ";

    private final List<String> heads;
    private final List<List<String>> rows = new ArrayList<>();

    /** A head that starts with {@code >} makes its column right-aligned. */
    public Table(String... heads) {
        this.heads = List.of(heads);
    }

    /** Adds a row: one cell for each head. */
    public void add(String... cells) {
        rows.add(List.of(cells));
    }

    @Override
    public String toString() {
        List<List<String>> all = new ArrayList<>();
        all.add(heads.stream().map(head -> head.replaceFirst("^>", "")).toList());
        all.addAll(rows);
        StringBuilder text = new StringBuilder();
        for (List<String> row : all) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < heads.size(); column++) {
                String space = " ".repeat(width(all, column) - row.get(column).length());
                boolean right = heads.get(column).startsWith(">");
                line.append(column == 0 ? "" : GAP);
                line.append(right ? space + row.get(column) : row.get(column) + space);
            }
            text.append(line.toString().stripTrailing()).append(System.lineSeparator());
        }
        return text.toString();
    }

    private static int width(List<List<String>> rows, int column) {
        return rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0);
    }
}
