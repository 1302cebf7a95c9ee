package org.exomem.app;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The rules of a chapter of {@code spec/}, as its README describes them.
 *
 * @param name of the file
 * @param rules the ids that it defines, in its order; one that is defined twice is here twice
 * @param notObservable the ids of its table "Not observable", each with the reason
 */
record SpecChapter(String name, List<String> rules, Map<String, String> notObservable) {
    /** An id; its first group is the chapter's letters. */
    static final Pattern ID = Pattern.compile("([A-Z]{2,4})(?:-[A-Z]+)?-\\d+");

    private static final Pattern ROW = Pattern.compile("\\| *(" + ID + ") *\\|(.*)");
    private static final Pattern ITEM = Pattern.compile("(?:^(?:- )?|\\| *)\\*\\*(" + ID + ")\\*\\*");
    private static final String NOT_OBSERVABLE = "## Not observable";

    static SpecChapter parse(String name, List<String> lines) {
        List<String> rules = new ArrayList<>();
        Map<String, String> notObservable = new LinkedHashMap<>();
        boolean exempt = false;
        for (String line : lines) {
            if (line.startsWith("## ")) {
                exempt = line.strip().equals(NOT_OBSERVABLE);
            }
            Matcher row = ROW.matcher(line);
            Matcher item = ITEM.matcher(line);
            if (row.matches() && exempt) {
                notObservable.put(row.group(1), row.group(3).replace("|", "").strip());
            } else if (row.matches()) {
                rules.add(row.group(1));
            } else {
                while (item.find()) {
                    rules.add(item.group(1));
                }
            }
        }
        return new SpecChapter(name, rules, notObservable);
    }
}
