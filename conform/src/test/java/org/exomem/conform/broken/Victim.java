package org.exomem.conform.broken;

import java.nio.file.Path;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.conformance.mem.MemBackEnd;

/** A right back-end, that a saboteur breaks. */
record Victim(Path socket, AutoCloseable backEnd) implements AutoCloseable {
    /** Bytes that the memory device wants to be plugged. */
    private static final long REQUESTED = 64 << 20;

    /** One of our own devices, as new. */
    static Victim of(DeviceType type, Path folder) throws Exception {
        return switch (type) {
            case BALLOON, ANY -> {
                BalloonBackEnd balloon = new BalloonBackEnd(folder.resolve("balloon"));
                yield new Victim(balloon.socket, balloon);
            }
            case MEM -> {
                MemBackEnd mem = new MemBackEnd(folder, REQUESTED, false);
                yield new Victim(mem.socket, mem);
            }
        };
    }

    @Override
    public void close() throws Exception {
        backEnd.close();
    }
}
