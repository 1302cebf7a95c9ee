package org.exomem.conformance;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.exomem.balloon.BalloonListener;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;
import org.exomem.balloon.HintingState;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/** The balloon of one VM on a socket, in this process, with all features on offer. */
public final class BalloonBackEnd implements AutoCloseable, EndpointListener, BalloonListener {
    public static final BalloonOptions EVERYTHING =
            new BalloonOptions(true, true, true, true, true, true, FreePageRequests.BITMAP, true);

    public final Path socket;
    public final EventLoop loop;
    public final VirtioBalloon balloon;
    public final List<String> faults = new CopyOnWriteArrayList<>();
    public final List<HintingState> hinting = new CopyOnWriteArrayList<>();
    /** The device's reports about pages, for a test that opens the feed. */
    public final PageFeed feed = new PageFeed();

    /** The source of late pages, for a test that sets it before a front-end connects. */
    public volatile Function<Runnable, @Nullable LatePages> latePages = came -> null;

    private final Endpoint endpoint;

    public BalloonBackEnd(Path socket) throws LinuxException {
        this.socket = socket;
        this.loop = new EventLoop("balloon-" + socket.getFileName());
        this.balloon = new VirtioBalloon(EVERYTHING, this, feed, loop);
        this.endpoint = Endpoint.listen(socket, balloon, loop, this);
    }

    /** On a socket that this process has inherited, listening or connected. */
    public BalloonBackEnd(Fd inherited) throws LinuxException {
        this.socket = Path.of("");
        this.loop = new EventLoop("balloon");
        this.balloon = new VirtioBalloon(EVERYTHING, this, feed, loop);
        this.endpoint = Endpoint.inherit(inherited, balloon, loop, this);
    }

    public <T> T onLoop(Callable<T> task) throws Exception {
        return loop.submit(task).get(EchoBackEnd.LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    public void runOnLoop(Runnable task) throws Exception {
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
    public @Nullable LatePages pagesOf(MemoryRegion region, int frontEnd, Runnable came) {
        return latePages.apply(came);
    }

    @Override
    public void connected() {}

    @Override
    public void disconnected(String reason) {}

    @Override
    public void fault(FaultKind kind, String message) {
        faults.add(kind + ": " + message);
    }

    /** Closes the connection, like a back-end that dies. */
    public void disconnect() {
        endpoint.close();
    }

    @Override
    public void close() {
        endpoint.close();
        loop.close();
    }
}
