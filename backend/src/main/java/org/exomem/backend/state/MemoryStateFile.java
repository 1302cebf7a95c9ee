package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.pages.CorruptBitsException;

/** A memory device's state file: the header, and then the layout of {@link KeptBlocks}. */
public final class MemoryStateFile implements KeptState {
    private final StateFile file;
    private final KeptBlocks kept;

    private MemoryStateFile(StateFile file, KeptBlocks kept) {
        this.file = file;
        this.kept = kept;
    }

    static MemoryStateFile open(Path path, String vm, String device, MemoryRegionPlan plan) throws IOException {
        long bytes = KeptBlocks.bytes(plan);
        StateFile file = StateFile.open(path, StateHeader.ofMemory(vm, device, plan), bytes, KeptBlocks::format);
        try {
            return new MemoryStateFile(file, KeptBlocks.open(file.map(0, bytes), plan));
        } catch (CorruptBitsException e) {
            file.close();
            throw StateFileException.damaged(path, String.valueOf(e.getMessage()));
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** The state for the device. Not usable after {@link #close}. */
    public KeptBlocks kept() {
        return kept;
    }

    /** True if there was no state before. */
    public boolean isNew() {
        return file.isNew();
    }

    @Override
    public void close() {
        file.close();
    }
}
