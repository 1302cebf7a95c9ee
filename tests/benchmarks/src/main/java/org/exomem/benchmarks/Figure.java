package org.exomem.benchmarks;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A measured number.
 *
 * @param name what was measured
 * @param value in {@code unit}
 * @param unit such as {@code ms}; empty for a ratio
 * @param target of the figure, or null if it has none
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Figure(
        String name, double value, String unit, @Nullable Target target) {
    /** The side of the limit that is good. */
    public enum Bound {
        AT_MOST,
        AT_LEAST
    }

    /**
     * The target of a figure.
     *
     * @param limit in the figure's unit
     */
    public record Target(Bound bound, double limit) {
        boolean isMetBy(double value) {
            return switch (bound) {
                case AT_MOST -> value <= limit;
                case AT_LEAST -> value >= limit;
            };
        }

        @Override
        public String toString() {
            return (bound == Bound.AT_MOST ? "<= " : ">= ") + number(limit);
        }
    }

    static Figure of(String name, double value, String unit) {
        return new Figure(name, value, unit, null);
    }

    Figure atMost(double limit) {
        return new Figure(name, value, unit, new Target(Bound.AT_MOST, limit));
    }

    Figure atLeast(double limit) {
        return new Figure(name, value, unit, new Target(Bound.AT_LEAST, limit));
    }

    boolean isMissed() {
        return target != null && !target.isMetBy(value);
    }

    /** The figure as a row of a table for people. */
    String row() {
        String judgement = target == null ? "" : target + (isMissed() ? "  MISSED" : "  met");
        return String.format(Locale.ROOT, "  %-58s %10s %-10s %s", name, number(value), unit, judgement)
                .stripTrailing();
    }

    private static String number(double value) {
        if (value == Math.rint(value) && Math.abs(value) < 1e6) {
            return String.format(Locale.ROOT, "%.0f", value);
        }
        int decimals = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }
}
