package org.exomem.backend;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VmShutdown;

/** A VM whose event loop hangs until this is closed, as in a system call on a file system that does not answer. */
public final class HeldUpVm implements AutoCloseable {
    private final ServedVm vm;
    private final CountDownLatch release;
    private final SocketChannel frontEnd;

    private HeldUpVm(ServedVm vm, CountDownLatch release, SocketChannel frontEnd) {
        this.vm = vm;
        this.release = release;
        this.frontEnd = frontEnd;
    }

    /** Starts the VM. Its socket is in the folder and has the VM's name. Returns when the loop hangs. */
    public static HeldUpVm start(String name, Path folder) throws IOException, ConfigException, InterruptedException {
        CountDownLatch held = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        Path socket = folder.resolve(name);
        ServedVm vm = BalloonOnly.start(name, folder, event -> {
            held.countDown();
            awaitWhateverComes(release);
        });
        SocketChannel frontEnd = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        held.await();
        return new HeldUpVm(vm, release, frontEnd);
    }

    private static void awaitWhateverComes(CountDownLatch release) {
        try {
            release.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public ServedVm vm() {
        return vm;
    }

    /** Lets the loop continue. */
    public void release() {
        release.countDown();
    }

    @Override
    public void close() throws IOException {
        release();
        frontEnd.close();
        VmShutdown.close(List.of(vm), Duration.ofSeconds(10));
    }
}
