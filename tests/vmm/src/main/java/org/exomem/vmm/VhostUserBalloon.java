package org.exomem.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * The balloon as QEMU's generic vhost-user device, with the steps to unplug it from a running guest and to plug it in
 * again.
 */
public final class VhostUserBalloon {

    static final String CHARDEV = "balloon-socket";
    static final String DEVICE = "vhost-user-test-device-pci";
    static final String PROPERTIES = "virtio-id=5,vq_size=128,config_size=16";

    /** The number of queues of a balloon with all features. */
    static final int QUEUES = 6;

    private static final Duration UNPLUG_LIMIT = Duration.ofMinutes(1);

    private VhostUserBalloon() {}

    /** Unplugs the balloon. Returns when the guest has released it and QEMU has closed its connection. */
    public static void unplug(Qemu qemu) throws IOException {
        qemu.qmp().execute("device_del", Map.of("id", "balloon0"));
        qemu.qmp().awaitEvent("DEVICE_DELETED", UNPLUG_LIMIT);
        qemu.qmp().execute("chardev-remove", Map.of("id", CHARDEV));
    }

    /** Plugs a balloon in that the back-end listening on {@code socket} serves. */
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
