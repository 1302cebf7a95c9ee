package org.exomem.backend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ServeConfig;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;

/** A back-end in this JVM with VMs on sockets in a folder of its own, and guests that attach to them. */
public final class TestVms implements AutoCloseable {
    /** The memory of each guest, in bytes. */
    public static final long MEMORY = 64 << 20;

    private final Path folder;
    private final BackendProcess process;
    private final List<AutoCloseable> guests = new ArrayList<>();

    private TestVms(Path folder, BackendProcess process) {
        this.folder = folder;
        this.process = process;
    }

    /** Serves a VM for each name. */
    public static TestVms named(String... names) throws IOException, ConfigException {
        Path folder = Files.createTempDirectory("exomem-test");
        List<BalloonConfig> balloons = new ArrayList<>();
        for (String name : names) {
            balloons.add(ServeConfig.balloon("vm=" + name + ",socket=" + folder.resolve(name)));
        }
        Path control = folder.resolve("control");
        BackendProcess process = new BackendProcess();
        process.start(new ServeConfig(Optional.of(control), balloons), Optional.of(control));
        return new TestVms(folder, process);
    }

    public Path folder() {
        return folder;
    }

    public Path control() {
        return folder.resolve("control");
    }

    public BackendProcess process() {
        return process;
    }

    /** Attaches a guest whose driver has started. */
    public BalloonDriver attach(String vm) throws IOException {
        GuestRam ram = GuestRam.ofSize(MEMORY);
        guests.add(0, ram);
        AttachedDevice device = AttachedDevice.attach(
                FrontEnd.connect(folder.resolve(vm)),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG);
        BalloonDriver driver = BalloonDriver.start(device);
        guests.add(0, driver);
        return driver;
    }

    @Override
    public void close() throws Exception {
        for (AutoCloseable guest : guests) {
            guest.close();
        }
        process.close();
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
