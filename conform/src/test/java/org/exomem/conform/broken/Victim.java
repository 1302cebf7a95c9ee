package org.exomem.conform.broken;

import java.nio.file.Path;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.conformance.mem.MemBackEnd;

/** A correct back-end, to which a saboteur adds a fault. */
record Victim(Path socket, AutoCloseable backEnd) implements AutoCloseable {
    /** The requested size of the memory device, in bytes. */
    private static final long REQUESTED = 64 << 20;

    /** One of exomem's devices, newly created. */
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
