package org.exomem.embedded;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.exomem.conformance.guest.GuestRam;
import org.jspecify.annotations.Nullable;

/**
 * The options of an embedded VMM.
 *
 * @param ram the file of the guest's memory; created if it is missing, never deleted
 * @param size of the memory in bytes, a multiple of 4096, at least 2 MiB
 * @param low the bytes below the hole that ends at 4 GiB; the whole size if there is no hole
 * @param qmp the socket to listen on
 * @param log the file for the log of the guest's writes; without it the VMM keeps no log, like QEMU
 * @param balloon the socket of a back-end that is the guest's balloon from the start
 * @param hints how the balloon's driver answers a request for free pages
 * @param processors of the guest
 * @param seed determines the contents of pages, and which pages are used
 * @param incoming whether the guest waits for the state of another
 * @param handsOver whether the VMM hands over a userfaultfd on request
 * @param isClone whether the file is a template, which the guest finds in its memory and does not write to
 */
public record EmbeddedOptions(
        Path ram,
        long size,
        long low,
        Path qmp,
        @Nullable Path log,
        @Nullable Path balloon,
        Hints hints,
        int processors,
        long seed,
        boolean incoming,
        boolean handsOver,
        boolean isClone) {
    /** How a driver answers a request for free pages. */
    public enum Hints {
        /** It hints free pages, and keeps them until the device ends the session. */
        HONEST,
        /** It hints free pages and some that it uses and keeps writing. */
        LYING,
        /** It does not answer. */
        SILENT,
        /** Like HONEST, and the driver also answers with free page bitmaps. */
        BITMAP
    }

    private static final long MIB = 1 << 20;
    private static final long FOUR_GIB = 1L << 32;
    /** A q35 machine has its memory below the hole if it fits into 2.75 GiB. Otherwise 2 GiB of it are below. */
    private static final long MOST_LOW = 2816 * MIB;

    private static final long USUAL_LOW = 2048 * MIB;

    public EmbeddedOptions {
        if (size < 2 * MIB || size % GuestRam.PAGE != 0 || size / GuestRam.PAGE > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "a guest needs at least 2 MiB of memory, in whole pages of 4096 bytes; size=" + size);
        }
        if (low < 2 * MIB || low % GuestRam.PAGE != 0 || Math.min(low, size) > FOUR_GIB) {
            throw new IllegalArgumentException("low must be 2 MiB to 4 GiB, in whole pages of 4096 bytes; low=" + low);
        }
        if (processors < 1) {
            throw new IllegalArgumentException("a guest needs at least one processor");
        }
    }

    /** A guest with two processors and no other options. */
    public static EmbeddedOptions of(Path ram, long size, Path qmp) {
        return new EmbeddedOptions(
                ram,
                size,
                size <= MOST_LOW ? size : USUAL_LOW,
                qmp,
                null,
                null,
                Hints.HONEST,
                2,
                1,
                false,
                false,
                false);
    }

    public EmbeddedOptions withLow(long bytes) {
        return new EmbeddedOptions(
                ram, size, bytes, qmp, log, balloon, hints, processors, seed, incoming, handsOver, isClone);
    }

    public EmbeddedOptions withLog(Path file) {
        return new EmbeddedOptions(
                ram, size, low, qmp, file, balloon, hints, processors, seed, incoming, handsOver, isClone);
    }

    public EmbeddedOptions withBalloon(Path socket) {
        return new EmbeddedOptions(
                ram, size, low, qmp, log, socket, hints, processors, seed, incoming, handsOver, isClone);
    }

    public EmbeddedOptions withHints(Hints answer) {
        return new EmbeddedOptions(
                ram, size, low, qmp, log, balloon, answer, processors, seed, incoming, handsOver, isClone);
    }

    public EmbeddedOptions withProcessors(int count) {
        return new EmbeddedOptions(ram, size, low, qmp, log, balloon, hints, count, seed, incoming, handsOver, isClone);
    }

    public EmbeddedOptions withSeed(long value) {
        return new EmbeddedOptions(
                ram, size, low, qmp, log, balloon, hints, processors, value, incoming, handsOver, isClone);
    }

    public EmbeddedOptions thatIsIncoming() {
        return new EmbeddedOptions(
                ram, size, low, qmp, log, balloon, hints, processors, seed, true, handsOver, isClone);
    }

    public EmbeddedOptions thatHandsOver() {
        return new EmbeddedOptions(ram, size, low, qmp, log, balloon, hints, processors, seed, incoming, true, isClone);
    }

    public EmbeddedOptions thatIsAClone() {
        return new EmbeddedOptions(
                ram, size, low, qmp, log, balloon, hints, processors, seed, incoming, handsOver, true);
    }

    /**
     * Parses {@code ram=FILE size=512M qmp=SOCKET [low=2G] [log=FILE] [balloon=SOCKET] [hints=honest|lying|silent]
     * [processors=N] [seed=N] [incoming=on] [handover=on] [clone=on]}.
     *
     * @throws IllegalArgumentException if an option is unknown, or a required one is missing
     */
    static EmbeddedOptions of(Map<String, String> words) {
        EmbeddedOptions options =
                of(Path.of(needed(words, "ram")), bytes(needed(words, "size")), Path.of(needed(words, "qmp")));
        for (Map.Entry<String, String> word : words.entrySet()) {
            String value = word.getValue();
            options = switch (word.getKey()) {
                case "ram", "size", "qmp" -> options;
                case "low" -> options.withLow(bytes(value));
                case "log" -> options.withLog(Path.of(value));
                case "balloon" -> options.withBalloon(Path.of(value));
                case "hints" -> options.withHints(Hints.valueOf(value.toUpperCase(Locale.ROOT)));
                case "processors" -> options.withProcessors(Integer.parseInt(value));
                case "seed" -> options.withSeed(Long.parseLong(value));
                case "handover" -> value.equals("on") ? options.thatHandsOver() : options;
                case "clone" -> value.equals("on") ? options.thatIsAClone() : options;
                case "incoming" -> value.equals("on") ? options.thatIsIncoming() : options;
                default -> throw new IllegalArgumentException("unknown option " + word.getKey());
            };
        }
        return options;
    }

    private static String needed(Map<String, String> words, String key) {
        String value = words.get(key);
        if (value == null) {
            throw new IllegalArgumentException(key + "=… is missing");
        }
        return value;
    }

    /** Parses a number of bytes, or of MiB or GiB with the suffix M or G. */
    private static long bytes(String text) {
        int shift = text.endsWith("G") ? 30 : text.endsWith("M") ? 20 : 0;
        return Math.multiplyExact(
                Long.parseLong(shift == 0 ? text : text.substring(0, text.length() - 1)), 1L << shift);
    }
}
