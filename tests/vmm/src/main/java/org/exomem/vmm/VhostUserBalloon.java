package org.exomem.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/** The balloon as QEMU's generic vhost-user device, and how it is taken out of a running guest and put back. */
public final class VhostUserBalloon {

    static final String CHARDEV = "balloon-socket";
    static final String DEVICE = "vhost-user-test-device-pci";
    static final String PROPERTIES = "virtio-id=5,vq_size=128,config_size=16";

    /** All that a balloon can have. */
    static final int QUEUES = 6;

    private static final Duration UNPLUG_LIMIT = Duration.ofMinutes(1);

    private VhostUserBalloon() {}

    /** Takes the balloon out; returns when the guest has released it and QEMU has closed its connection. */
    public static void unplug(Qemu qemu) throws IOException {
        qemu.qmp().execute("device_del", Map.of("id", "balloon0"));
        qemu.qmp().awaitEvent("DEVICE_DELETED", UNPLUG_LIMIT);
        qemu.qmp().execute("chardev-remove", Map.of("id", CHARDEV));
    }

    /** Puts a balloon in that is served by the back-end that listens on {@code socket}. */
    public static void plug(Qemu qemu, Path socket) throws IOException {
        qemu.qmp()
                .execute(
                        "chardev-add",
                        Map.of(
                                "id",
                                CHARDEV,
                                "backend",
                                Map.of(
                                        "type",
                                        "socket",
                                        "data",
                                        Map.of(
                                                "addr",
                                                Map.of("type", "unix", "data", Map.of("path", socket.toString())),
                                                "server",
                                                false))));
        qemu.qmp()
                .execute(
                        "device_add",
                        Map.of(
                                "driver",
                                DEVICE,
                                "id",
                                "balloon0",
                                "bus",
                                QemuCommand.PORT,
                                "chardev",
                                CHARDEV,
                                "virtio-id",
                                5,
                                "num_vqs",
                                QUEUES,
                                "vq_size",
                                128,
                                "config_size",
                                16));
    }
}
