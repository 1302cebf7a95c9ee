package org.exomem.migration.precopy;

import java.io.IOException;
import org.exomem.pages.PageBits;

/** Does all work on the engine's own thread, so that runs are reproducible. */
final class InlineCrew implements Crew {
    private final Courier courier;
    private final Batch batch = new Batch();

    InlineCrew(Courier courier) {
        this.courier = courier;
    }

    @Override
    public Batch free() {
        return batch;
    }

    @Override
    public void give(Batch given, Work work) throws IOException {
        switch (work) {
            case LOOK -> courier.look(given);
            case CARRY -> courier.carry(given);
        }
        given.finish();
    }

    @Override
    public boolean isIdle() {
        return true;
    }

    @Override
    public void takeBack(PageBits pages) {
        batch.giveBack(pages);
    }

    @Override
    public void close() {}
}
