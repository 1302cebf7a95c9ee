package org.exomem.backend.config;

import java.util.ArrayList;
import java.util.List;

/** QEMU's comma syntax: {@code key=value,key=value}. A comma inside a value is doubled. A key alone means {@code key=on}. */
final class OptionList {
    /** A key and its value, as written. */
    record Option(String key, String value) {}

    private OptionList() {}

    static List<Option> parse(String text) throws ConfigException {
        List<Option> options = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != ',') {
                word.append(c);
            } else if (i + 1 < text.length() && text.charAt(i + 1) == ',') {
                word.append(',');
                i++;
            } else {
                options.add(option(word.toString()));
                word.setLength(0);
            }
        }
        options.add(option(word.toString()));
        return options;
    }

    private static Option option(String word) throws ConfigException {
        int equals = word.indexOf('=');
        String key = equals < 0 ? word : word.substring(0, equals);
        if (key.isEmpty()) {
            throw new ConfigException(
                    word.isEmpty()
                            ? "an option is empty (write a comma in a value twice)"
                            : "\"" + word + "\" has no name before the =");
        }
        return new Option(key, equals < 0 ? "on" : word.substring(equals + 1));
    }
}
