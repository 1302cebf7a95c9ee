package org.exomem.reference;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The strength of a requirement, as RFC 2119 defines it. The text is that of the catalogue. */
public enum Strength {
    MUST("MUST"),
    MUST_NOT("MUST NOT"),
    SHOULD("SHOULD"),
    SHOULD_NOT("SHOULD NOT"),
    MAY("MAY");

    private static final Pattern WORDS = Pattern.compile("\\b(MUST|SHOULD)( NOT)?\\b|\\bMAY\\b");

    private final String text;

    Strength(String text) {
        this.text = text;
    }

    /** The words of RFC 2119 in a text, in their order. */
    static List<Strength> wordsOf(String text) {
        List<Strength> words = new ArrayList<>();
        Matcher word = WORDS.matcher(text);
        while (word.find()) {
            words.add(valueOf(word.group().replace(' ', '_')));
        }
        return words;
    }

    /** Returns the same strength without NOT. */
    Strength positive() {
        return switch (this) {
            case MUST, MUST_NOT -> MUST;
            case SHOULD, SHOULD_NOT -> SHOULD;
            case MAY -> MAY;
        };
    }

    @Override
    public String toString() {
        return text;
    }
}
