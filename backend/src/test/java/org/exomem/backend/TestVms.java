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
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;

/** A back-end in this JVM with VMs on sockets in a folder of its own, and guests that attach to them. */
public final class TestVms implements AutoCloseable {
    /** The memory of each guest, in bytes. */
    public static final long MEMORY = 64 << 20;

    /** ACPI_PXM, UNPLUGGED_INACCESSIBLE and PERSISTENT_SUSPEND. */
    private static final long MEMORY_FEATURES = 0b111;

    private final Path folder;
    private final BackendProcess process;
    private final List<AutoCloseable> guests = new ArrayList<>();

    private TestVms(Path folder, BackendProcess process) {
        this.folder = folder;
        this.process = process;
    }

    /** Serves a VM with a balloon for each name. */
    public static TestVms named(String... names) throws IOException, ConfigException {
        return with(List.of(names), List.of());
    }

    /**
     * Serves balloons and memory devices.
     *
     * @param mems the options of {@code --mem}, without sockets
     */
    public static TestVms with(List<String> balloons, List<String> mems) throws IOException, ConfigException {
        Path folder = Files.createTempDirectory("exomem-test");
        List<BalloonConfig> balloonConfigs = new ArrayList<>();
        for (String name : balloons) {
            balloonConfigs.add(ServeConfig.balloon("vm=" + name + ",socket=" + folder.resolve(name)));
        }
        List<MemoryConfig> memConfigs = new ArrayList<>();
        for (String mem : mems) {
            memConfigs.add(ServeConfig.mem(mem + ",socket=" + folder.resolve("mem" + memConfigs.size())));
        }
        Path control = folder.resolve("control");
        BackendProcess process = new BackendProcess();
        process.start(
                new ServeConfig(Optional.of(control), balloonConfigs, memConfigs, Optional.empty()).checked(),
                Optional.of(control));
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

    /** Attaches a guest whose balloon driver has started. */
    public BalloonDriver attach(String vm) throws IOException {
        GuestRam ram = GuestRam.ofSize(MEMORY);
        guests.add(0, ram);
        return attach(vm, ram);
    }

    /** Attaches the balloon of a guest with that memory. */
    public BalloonDriver attach(String vm, GuestRam ram) throws IOException {
        return attach(vm, ram, BalloonFeatures.LINUX);
    }

    /** Attaches the balloon of a guest with that memory. Its driver supports these features. */
    public BalloonDriver attach(String vm, GuestRam ram, long features) throws IOException {
        BalloonDriver driver = BalloonDriver.start(device(folder.resolve(vm), features, ram));
        guests.add(0, driver);
        return driver;
    }

    /** A guest's memory of {@link #MEMORY} bytes at 0, and {@code above} bytes at 4 GiB. */
    public GuestRam ram(long above) throws IOException {
        GuestRam ram = GuestRam.withPciHole(MEMORY, above);
        guests.add(0, ram);
        return ram;
    }

    /** Attaches a memory device, by its index in the list, of a guest with that memory. */
    public MemDriver attachMemory(int index, GuestRam ram) throws IOException {
        MemDriver driver = memory(folder.resolve("mem" + index), ram);
        guests.add(0, driver);
        return driver;
    }

    /** Attaches a memory device, by its socket, of a guest with that memory. The caller closes it. */
    public static MemDriver memory(Path socket, GuestRam ram) throws IOException {
        return MemDriver.start(device(socket, MEMORY_FEATURES, ram));
    }

    private static AttachedDevice device(Path socket, long features, GuestRam ram) throws IOException {
        return AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                features | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG);
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
