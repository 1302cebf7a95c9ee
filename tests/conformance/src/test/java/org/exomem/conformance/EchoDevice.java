package org.exomem.conformance;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The smallest device that shows what the library does: it writes what it reads. Queue {@link #HOLDING} keeps its
 * chains until {@link #release}. Config bytes 0 to 7 are read-only, 8 to 15 are the driver's.
 */
final class EchoDevice implements VhostUserDevice {
    static final int QUEUES = 4;
    static final int HOLDING = 1;
    static final int CONFIG_SIZE = 16;
    static final int READ_ONLY_CONFIG = 8;
    private static final int BLOCK = 4096;

    private final byte[] config = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    private final List<DescriptorChain> held = new ArrayList<>();
    private final MemorySegment block = Arena.ofAuto().allocate(BLOCK);
    private @Nullable DeviceLink link;
    private @Nullable Virtqueue holding;

    /** The session's calls, in order; any thread may read them. */
    final List<String> calls = new CopyOnWriteArrayList<>();

    volatile long acknowledged;
    volatile int heldChains;
    volatile int echoed;
    volatile int memoryChanges;

    @Override
    public int deviceId() {
        return 42;
    }

    @Override
    public long features() {
        return 3;
    }

    @Override
    public int maxQueues() {
        return QUEUES;
    }

    @Override
    public int configSize() {
        return CONFIG_SIZE;
    }

    @Override
    public void readConfig(MemorySegment target) {
        target.copyFrom(MemorySegment.ofArray(config));
    }

    @Override
    public void writeConfig(int offset, MemorySegment data) {
        for (int i = 0; i < data.byteSize(); i++) {
            if (offset + i >= READ_ONLY_CONFIG) {
                config[offset + i] = data.get(JAVA_BYTE, i);
            }
        }
    }

    @Override
    public void connected(DeviceLink newLink) {
        link = newLink;
        calls.add("connected");
    }

    @Override
    public void featuresAcknowledged(long features) {
        acknowledged = features;
    }

    @Override
    public void queueStarted(Virtqueue queue) {
        calls.add("started " + queue.index());
        if (queue.index() == HOLDING) {
            holding = queue;
        }
    }

    @Override
    public void process(Virtqueue queue) {
        DescriptorChain chain = new DescriptorChain();
        while (queue.pop(chain)) {
            if (queue.index() == HOLDING) {
                held.add(chain);
                heldChains = held.size();
                chain = new DescriptorChain();
            } else {
                queue.push(chain, echo(chain));
                echoed++;
            }
        }
    }

    private long echo(DescriptorChain chain) {
        long written = 0;
        while (link != null) {
            long got = chain.read(written, block);
            long put = got == 0 ? 0 : chain.write(written, block.asSlice(0, got), link.memory());
            written += put;
            if (put < BLOCK) {
                break;
            }
        }
        return written;
    }

    /** Returns all held chains. Runs on the loop. */
    void release() {
        Virtqueue queue = holding;
        if (queue == null || link == null) {
            throw new IllegalStateException("the holding queue does not run");
        }
        pushHeld(queue);
        link.callIfWanted(queue);
    }

    private void pushHeld(Virtqueue queue) {
        for (DescriptorChain chain : held) {
            queue.push(chain, echo(chain));
        }
        held.clear();
        heldChains = 0;
    }

    /** Changes the first byte of the config space, and reports that. Runs on the loop. */
    void changeConfig(int value) {
        config[0] = (byte) value;
        if (link != null) {
            link.configChanged();
        }
    }

    @Override
    public void queueStopped(Virtqueue queue, boolean completing) {
        calls.add("stopped " + queue.index() + (completing ? " completing" : ""));
        if (queue.index() == HOLDING) {
            if (completing) {
                pushHeld(queue);
            }
            held.clear();
            heldChains = 0;
            holding = null;
        }
    }

    @Override
    public void reset() {
        calls.add("reset");
        for (int i = READ_ONLY_CONFIG; i < CONFIG_SIZE; i++) {
            config[i] = 0;
        }
    }

    @Override
    public void memoryChanged() {
        memoryChanges++;
        DeviceLink current = link;
        if (current != null) {
            held.forEach(chain -> chain.relocate(0, current.memory()));
        }
    }

    @Override
    public void disconnected() {
        link = null;
        calls.add("disconnected");
    }
}
