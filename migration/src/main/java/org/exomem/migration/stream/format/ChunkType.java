package org.exomem.migration.stream.format;

import org.jspecify.annotations.Nullable;

/** The types of chunks; {@code spec/migration-stream.md}, "Chunks". */
public enum ChunkType {
    MEMORY(1, 1, Limits.CONTROL),
    ACCEPTED(2, 0, 0),
    PAGES(3, 1, Limits.PAGES),
    ZEROS(4, 0, 0),
    FREE(5, 0, 0),
    ROUND_END(6, RoundDigest.BYTES, RoundDigest.BYTES),
    ROUND_DONE(7, RoundDigest.BYTES, RoundDigest.BYTES),
    STATE_OPEN(8, 1, Limits.NAME),
    STATE(9, 1, Limits.CONTROL),
    STATE_CLOSE(10, 0, 0),
    END(11, 0, RoundDigest.BYTES),
    READY(12, 0, 0),
    GO(13, 0, 0),
    RUNNING(14, 0, 0),
    ALIVE(15, 0, 0),
    ERROR(16, 0, Limits.TEXT),
    RESUME(17, 0, 0),
    HEARD(18, 0, 0),
    OWED(19, 0, Limits.CONTROL),
    WANT(20, 0, 0),
    ARRIVED(21, 0, 0),
    LISTENING(22, 0, 0);

    /** The limits of payloads, in bytes. */
    public static final class Limits {
        /** For a chunk of pages. */
        public static final int PAGES = 1 << 20;
        /** For any chunk on the main connection. */
        public static final int CONTROL = 1 << 18;
        /** For a name. */
        public static final int NAME = 255;
        /** For a reason for giving up. */
        public static final int TEXT = 4096;

        private Limits() {}
    }

    private static final ChunkType[] BY_NUMBER = new ChunkType[32];

    static {
        for (ChunkType type : values()) {
            BY_NUMBER[type.number] = type;
        }
    }

    public final int number;
    /** The smallest and the largest payload, in bytes. */
    public final int least;

    public final int most;

    ChunkType(int number, int least, int most) {
        this.number = number;
        this.least = least;
        this.most = most;
    }

    public static @Nullable ChunkType of(int number) {
        return number < 0 || number >= BY_NUMBER.length ? null : BY_NUMBER[number];
    }

    /** True if the chunk is part of the digest, because it changes what the destination has. */
    public boolean isContent() {
        return switch (this) {
            case PAGES, ZEROS, FREE, OWED, STATE_OPEN, STATE, STATE_CLOSE -> true;
            default -> false;
        };
    }
}
