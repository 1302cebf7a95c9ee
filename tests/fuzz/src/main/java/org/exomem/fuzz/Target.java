package org.exomem.fuzz;

import java.util.Arrays;
import java.util.Optional;

/** The targets of fuzzing: a harness for each reader of untrusted input. */
@SuppressWarnings("ImmutableEnumChecker") // harnesses are static methods
enum Target {
    MESSAGES(
            "messages",
            "the codec of vhost-user's messages",
            MessagesFuzz.class,
            MessagesFuzz::fuzzerTestOneInput,
            320,
            "org.exomem.vhostuser.protocol.**"),
    SESSION(
            "session",
            "whole sessions over a socket",
            SessionFuzz.class,
            SessionFuzz::fuzzerTestOneInput,
            600,
            "org.exomem.vhostuser.**",
            "org.exomem.balloon.**",
            "org.exomem.mem.**"),
    SPLIT_RING(
            "split-ring",
            "split virtqueues",
            SplitRingFuzz.class,
            SplitRingFuzz::fuzzerTestOneInput,
            400,
            "org.exomem.vhostuser.virtqueue.**",
            "org.exomem.vhostuser.memory.**"),
    PACKED_RING(
            "packed-ring",
            "packed virtqueues",
            PackedRingFuzz.class,
            PackedRingFuzz::fuzzerTestOneInput,
            400,
            "org.exomem.vhostuser.virtqueue.**",
            "org.exomem.vhostuser.memory.**"),
    BALLOON(
            "balloon",
            "the balloon's six queues, bitmaps and page descriptors among them",
            BalloonFuzz.class,
            BalloonFuzz::fuzzerTestOneInput,
            600,
            "org.exomem.balloon.**",
            "org.exomem.pages.**"),
    MEM(
            "mem",
            "requests of the memory device",
            MemFuzz.class,
            MemFuzz::fuzzerTestOneInput,
            500,
            "org.exomem.mem.**",
            "org.exomem.pages.**"),
    STREAM(
            "stream",
            "the decoder of the migration stream",
            StreamFuzz.class,
            StreamFuzz::fuzzerTestOneInput,
            800,
            "org.exomem.migration.**"),
    OWED_STREAM(
            "owed-stream",
            "the migration stream while pages are owed, both ways",
            PostCopyStreamFuzz.class,
            PostCopyStreamFuzz::fuzzerTestOneInput,
            400,
            "org.exomem.migration.**"),
    STATE(
            "state",
            "state files",
            StateFuzz.class,
            StateFuzz::fuzzerTestOneInput,
            200,
            "org.exomem.backend.state.**",
            "org.exomem.pages.**",
            "org.exomem.balloon.Kept*",
            "org.exomem.mem.Kept*",
            "org.exomem.mem.LastChange*"),
    QMP(
            "qmp",
            "QMP, as clients and VMMs speak it",
            QmpFuzz.class,
            QmpFuzz::fuzzerTestOneInput,
            600,
            "org.exomem.backend.qmp.**",
            "com.fasterxml.jackson.core.**"),
    CONFIG(
            "config",
            "configuration files and options",
            ConfigFuzz.class,
            ConfigFuzz::fuzzerTestOneInput,
            400,
            "org.exomem.backend.config.**",
            "com.fasterxml.jackson.dataformat.yaml.**",
            "org.yaml.snakeyaml.**");

    /** Tries one input. */
    @FunctionalInterface
    interface Harness {
        /** Returns normally if all properties hold. */
        void fuzzerTestOneInput(byte[] input) throws Exception;
    }

    private final String id;
    private final String what;
    private final Class<?> type;
    private final Harness harness;
    private final int mostBytes;
    private final String instrumented;

    Target(String id, String what, Class<?> type, Harness harness, int mostBytes, String... instrumented) {
        this.id = id;
        this.what = what;
        this.type = type;
        this.harness = harness;
        this.mostBytes = mostBytes;
        this.instrumented = String.join(":", instrumented);
    }

    static Optional<Target> of(String id) {
        return Arrays.stream(values()).filter(target -> target.id.equals(id)).findFirst();
    }

    /** The name for users, and of the target's folders. */
    String id() {
        return id;
    }

    /** A description for people. */
    String what() {
        return what;
    }

    /** The class that the fuzzer runs. */
    Class<?> type() {
        return type;
    }

    Harness harness() {
        return harness;
    }

    /** The length of the longest input, in bytes. */
    int mostBytes() {
        return mostBytes;
    }

    /** Patterns of classes that are instrumented: without the harness and its helpers. */
    String instrumented() {
        return instrumented;
    }
}
