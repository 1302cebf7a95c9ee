package org.exomem.conform.check;

import java.util.List;
import java.util.stream.Stream;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;

/** The kinds of rings that a device may offer. Most rules of rings are tried with each kind. */
public enum RingKind {
    SPLIT("split ring", 0),
    SPLIT_EVENTS("split ring with EVENT_IDX", Features.EVENT_IDX),
    PACKED("packed ring", Features.RING_PACKED),
    PACKED_EVENTS("packed ring with EVENT_IDX", Features.RING_PACKED | Features.EVENT_IDX);

    private final String text;
    private final long features;

    RingKind(String text, long features) {
        this.text = text;
        this.features = features;
    }

    /** The actions of a check with one kind of ring. */
    @FunctionalInterface
    public interface Body {
        void run(Trial trial, RingKind kind) throws Exception;
    }

    /** The usual session, with rings of this kind. */
    public Wish wish() {
        return Wish.USUAL.with(features);
    }

    public boolean isPacked() {
        return (features & Features.RING_PACKED) != 0;
    }

    public boolean hasEvents() {
        return (features & Features.EVENT_IDX) != 0;
    }

    /** Creates the same check for each of the four kinds. */
    public static List<Check> each(String requirement, String name, Body body, String... others) {
        return some(List.of(values()), requirement, name, body, others);
    }

    /** Creates the same check for split and packed rings, without EVENT_IDX. */
    public static List<Check> splitAndPacked(String requirement, String name, Body body, String... others) {
        return some(List.of(SPLIT, PACKED), requirement, name, body, others);
    }

    /** Creates the same check for some kinds. */
    public static List<Check> some(List<RingKind> kinds, String requirement, String name, Body body, String... others) {
        return kinds.stream()
                .map(kind -> Check.of(requirement, name + ": " + kind, trial -> body.run(trial, kind))
                        .and(others))
                .toList();
    }

    /** Concatenates lists of checks. */
    @SafeVarargs
    public static List<Check> join(List<Check>... lists) {
        return Stream.of(lists).flatMap(List::stream).toList();
    }

    @Override
    public String toString() {
        return text;
    }
}
