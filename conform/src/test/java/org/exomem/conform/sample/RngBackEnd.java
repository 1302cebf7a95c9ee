package org.exomem.conform.sample;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.backend.VhostUserDevice;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/** A virtio-rng on a socket, which fills at most a certain number of bytes of a buffer. */
final class RngBackEnd implements VhostUserDevice, EndpointListener, AutoCloseable {
    private static final int RNG = 4;
    private static final long SEED = 7;

    private final int most;
    private final Random random = new Random(SEED);
    private final EventLoop loop;
    private final Endpoint endpoint;
    private @Nullable DeviceLink link;

    RngBackEnd(Path socket, int most) throws LinuxException {
        this.most = most;
        this.loop = new EventLoop("rng");
        this.endpoint = Endpoint.listen(socket, this, loop, this);
    }

    @Override
    public int deviceId() {
        return RNG;
    }

    @Override
    public long features() {
        return 0;
    }

    @Override
    public int maxQueues() {
        return 1;
    }

    @Override
    public int configSize() {
        return 0;
    }

    @Override
    public void readConfig(MemorySegment target) {}

    @Override
    public void writeConfig(int offset, MemorySegment data) {}

    @Override
    public void connected(DeviceLink newLink) {
        link = newLink;
    }

    @Override
    public void featuresAcknowledged(long features) {}

    @Override
    public void queueStarted(Virtqueue queue) {}

    @Override
    public void process(Virtqueue queue) {
        DescriptorChain chain = new DescriptorChain();
        while (link != null && queue.pop(chain)) {
            byte[] bytes = new byte[most];
            random.nextBytes(bytes);
            queue.push(chain, chain.write(0, MemorySegment.ofArray(bytes), link.memory()));
        }
    }

    @Override
    public void queueStopped(Virtqueue queue, boolean completing) {}

    @Override
    public void reset() {}

    @Override
    public void memoryChanged() {}

    @Override
    public void disconnected() {
        link = null;
    }

    @Override
    public void connected() {}

    @Override
    public void disconnected(String reason) {}

    @Override
    public void fault(FaultKind kind, String message) {}

    @Override
    public void close() {
        endpoint.close();
        loop.close();
    }
}
