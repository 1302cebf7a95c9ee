package org.exomem.conformance;

import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.linux.HostRam;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;

/** An echo device of one VM on a socket, in this process, and the reports to its operator. */
final class EchoBackEnd implements AutoCloseable, EndpointListener {
    static final Duration LIMIT = Duration.ofMinutes(1);

    final Path socket;
    final EchoDevice device = new EchoDevice();
    final EventLoop loop;
    final AtomicInteger connections = new AtomicInteger();
    final List<String> departures = new CopyOnWriteArrayList<>();
    final List<Fault> faults = new CopyOnWriteArrayList<>();
    private final Endpoint endpoint;
    private final long memoryLimit;

    /** A fault that was reported to the operator. */
    record Fault(FaultKind kind, String message) {}

    EchoBackEnd(Path socket) throws LinuxException {
        this(socket, EndpointListener.DEFAULT_MEMORY_FACTOR * HostRam.bytes());
    }

    /** @param memoryLimit the most bytes that a front-end may share */
    EchoBackEnd(Path socket, long memoryLimit) throws LinuxException {
        this.memoryLimit = memoryLimit;
        this.socket = socket;
        this.loop = new EventLoop("echo-" + socket.getFileName());
        try {
            this.endpoint = Endpoint.listen(socket, device, loop, this);
        } catch (LinuxException e) {
            loop.close();
            throw e;
        }
    }

    FrontEnd connect() throws Exception {
        return FrontEnd.connect(socket);
    }

    /** Waits until no front-end is connected, and all resources of a connection are released. */
    void awaitDisconnected() {
        await().atMost(LIMIT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .until(() -> !onLoop(endpoint::isConnected));
    }

    boolean isConnected() throws Exception {
        return onLoop(endpoint::isConnected);
    }

    <T> T onLoop(Callable<T> task) throws Exception {
        return loop.submit(task).get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
    }

    void runOnLoop(Runnable task) throws Exception {
        onLoop(() -> {
            task.run();
            return true;
        });
    }

    /** Waits for a fault of the kind whose message contains the text. */
    void awaitFault(FaultKind kind, String text) {
        await("a fault of " + kind + " that says \"" + text + "\", among " + faults)
                .atMost(LIMIT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .until(() -> faults.stream()
                        .anyMatch(f -> f.kind() == kind && f.message().contains(text)));
    }

    @Override
    public long memoryLimit() {
        return memoryLimit;
    }

    @Override
    public void connected() {
        connections.incrementAndGet();
    }

    @Override
    public void disconnected(String reason) {
        departures.add(reason);
    }

    @Override
    public void fault(FaultKind kind, String message) {
        faults.add(new Fault(kind, message));
    }

    @Override
    public void close() {
        endpoint.close();
        loop.close();
    }
}
