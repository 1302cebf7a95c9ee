package org.exomem.conformance;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.memory.PageFeed;

/** The balloon of one VM on a socket, in this process, with all features on offer. */
final class BalloonBackEnd implements AutoCloseable, EndpointListener, BalloonListener {
    static final BalloonOptions EVERYTHING = new BalloonOptions(true, true, true, true, true, true, true);

    final Path socket;
    final EventLoop loop;
    final VirtioBalloon balloon;
    final List<String> faults = new CopyOnWriteArrayList<>();
    final List<HintingState> hinting = new CopyOnWriteArrayList<>();
    private final Endpoint endpoint;

    BalloonBackEnd(Path socket) throws LinuxException {
        this.socket = socket;
        this.loop = new EventLoop("balloon-" + socket.getFileName());
        this.balloon = new VirtioBalloon(EVERYTHING, this, new PageFeed(1024), loop);
        this.endpoint = Endpoint.listen(socket, balloon, loop, this);
    }

    <T> T onLoop(Callable<T> task) throws Exception {
        return loop.submit(task).get(EchoBackEnd.LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    void runOnLoop(Runnable task) throws Exception {
        onLoop(() -> {
            task.run();
            return true;
        });
    }

    @Override
    public void actualChanged(long actual) {}

    @Override
    public void statisticsUpdated() {}

    @Override
    public void hintingChanged(HintingState state) {
        hinting.add(state);
    }

    @Override
    public void connected() {}

    @Override
    public void disconnected(String reason) {}

    @Override
    public void fault(FaultKind kind, String message) {
        faults.add(kind + ": " + message);
    }

    @Override
    public void close() {
        endpoint.close();
        loop.close();
    }
}
