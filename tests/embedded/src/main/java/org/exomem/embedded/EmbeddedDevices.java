package org.exomem.embedded;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.embedded.EmbeddedOptions.Hints;
import org.jspecify.annotations.Nullable;

/**
 * The devices of the machine: at most one balloon, and the character devices of back-ends. Safe for use by any thread.
 */
final class EmbeddedDevices implements AutoCloseable {
    /** VIRTIO's number for a traditional memory balloon. */
    static final int BALLOON = 5;

    private static final String FIRST = "balloon0";

    private final EmbeddedGuest guest;
    private final EmbeddedRam ram;
    private final GuestProgram program;
    private final Hints hints;
    private final Map<String, Path> sockets = new LinkedHashMap<>();
    private final Map<String, Device> devices = new LinkedHashMap<>();
    private boolean closed;

    /**
     * A device.
     *
     * @param chardev the id of its character device
     * @param arguments the arguments of its {@code device_add}
     */
    record Device(String id, String chardev, ObjectNode arguments, BalloonThread balloon) {}

    EmbeddedDevices(EmbeddedGuest guest, EmbeddedRam ram, GuestProgram program, Hints hints) {
        this.guest = guest;
        this.ram = ram;
        this.program = program;
        this.hints = hints;
    }

    /** Plugs the balloon that the machine has from the start. The guest must not run yet. */
    void plugFirst(Path socket) throws IOException {
        addSocket("chardev0", socket);
        plug(
                FIRST,
                "chardev0",
                QmpServer.object()
                        .put("driver", DeviceCommands.DRIVER)
                        .put("id", FIRST)
                        .put("bus", "rp0")
                        .put("chardev", "chardev0")
                        .put("virtio-id", BALLOON)
                        .put("num_vqs", 5)
                        .put("vq_size", 128)
                        .put("config_size", 16),
                false);
    }

    synchronized void addSocket(String id, Path socket) {
        if (sockets.putIfAbsent(id, socket) != null) {
            throw new IllegalStateException("Chardev '" + id + "' already exists");
        }
    }

    synchronized void removeSocket(String id) {
        if (devices.values().stream().anyMatch(device -> device.chardev.equals(id))) {
            throw new IllegalStateException("Chardev '" + id + "' is busy");
        }
        if (sockets.remove(id) == null) {
            throw new IllegalStateException("Chardev '" + id + "' not found");
        }
    }

    synchronized Map<String, Path> sockets() {
        return new LinkedHashMap<>(sockets);
    }

    synchronized List<String> ids() {
        return List.copyOf(devices.keySet());
    }

    synchronized @Nullable Device device(String id) {
        return devices.get(id);
    }

    /** The id of any present device, or null. */
    @Nullable
    String any() {
        return ids().stream().findFirst().orElse(null);
    }

    /** @param running whether the guest runs, and its driver may begin */
    synchronized void plug(String id, String chardev, ObjectNode arguments, boolean running) throws IOException {
        Path socket = sockets.get(chardev);
        if (socket == null) {
            throw new IllegalStateException("Property can't find value '" + chardev + "'");
        }
        if (closed) {
            throw new IllegalStateException("this VMM is shutting down");
        }
        if (!devices.isEmpty()) {
            throw new IllegalStateException(
                    "this VMM supports one device at a time, and '" + any() + "' is plugged in");
        }
        BalloonThread balloon = BalloonThread.plug(FrontEnd.connect(socket), ram, program, hints, running);
        devices.put(id, new Device(id, chardev, arguments, balloon));
    }

    /** Asks the guest to release a device. The guest does so while it runs. */
    void unplug(String id) throws QmpError {
        Device device = device(id);
        if (device == null) {
            throw new QmpError("DeviceNotFound", "Device '" + id + "' not found");
        }
        device.balloon.unplug(() -> gone(device));
    }

    private void gone(Device device) {
        synchronized (this) {
            devices.remove(device.id);
            // The rings of the next device take the place of this one's.
            ram.ram().releaseFrom(0);
        }
        device.balloon.close();
        guest.event(
                "DEVICE_DELETED",
                QmpServer.object().put("device", device.id).put("path", DeviceCommands.PERIPHERAL + "/" + device.id));
    }

    private synchronized Collection<Device> all() {
        return List.copyOf(devices.values());
    }

    void pause() {
        all().forEach(device -> device.balloon.pause());
    }

    void resume() {
        all().forEach(device -> device.balloon.resume());
    }

    /** Waits until the drivers of all devices have started. The guest must run. */
    void awaitDrivers() throws IOException {
        for (Device device : all()) {
            device.balloon.awaitDriver();
        }
    }

    /** A device that is plugged in at the same time is closed as well, or refused. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        all().forEach(device -> device.balloon.close());
    }
}
