package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;
import org.exomem.pages.Pages;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VMM that speaks QMP as QEMU does. Its guest's RAM is moved by exomem, everything else by the VMM itself (capability
 * {@code x-ignore-shared}). Belongs to one thread; a call returns when the VMM has done it.
 */
public final class QmpVmm implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(QmpVmm.class);

    /** A guest's driver lets a device go within seconds, unless it is not there or not well. */
    private static final Duration UNPLUG_LIMIT = Duration.ofSeconds(30);

    /** Whoever waits for this guest to run has nothing better to do. */
    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    private static final Duration STATE_LIMIT = Duration.ofSeconds(60);
    private static final Duration STATE_LOOK = Duration.ofMillis(2);
    private static final Duration GO_ON_LIMIT = Duration.ofSeconds(60);
    private static final Duration SOCKET_LIMIT = Duration.ofSeconds(5);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    /** What {@code query-migrate} says where nothing is under way. */
    private static final Set<String> IDLE = Set.of("", "none", "completed", "failed", "cancelled");

    private static final Set<String> HOTPLUG =
            Set.of("query-chardev", "chardev-add", "chardev-remove", "device_add", "device_del", "qom-list", "qom-get");
    private static final String SHARED = "x-ignore-shared";
    private static final String INCOMING = "inmigrate";
    private static final String THROTTLE = "x-throttle";
    private static final String DIRTY_LOG = "query-dirty-log";

    private QmpSession qmp;
    private @Nullable SharedMappings mapped;
    private final Set<String> commands = new HashSet<>();
    /** The devices that were asked to leave, by their ids. */
    private final Set<String> leaving = new HashSet<>();

    private QmpVmm(QmpSession qmp) throws IOException {
        this.qmp = qmp;
        for (JsonNode command : qmp.execute("query-commands")) {
            commands.add(command.path("name").asText());
        }
    }

    /** @throws VmmException if nobody listens there, or does not speak QMP */
    public static QmpVmm connect(Path socket) throws IOException {
        QmpSession qmp = QmpSession.connect(socket);
        try {
            return new QmpVmm(qmp);
        } catch (IOException | RuntimeException e) {
            qmp.close();
            throw e;
        }
    }

    /**
     * The files that are the guest's RAM.
     *
     * @throws VmmException if the VMM has RAM that it would not leave to exomem: such as is not shared, or has no name in the
     *     file system (QEMU's {@code memory-backend-memfd})
     */
    public List<GuestRamFile> ram() throws IOException {
        List<GuestRamFile> files = new ArrayList<>();
        for (JsonNode backend : qmp.execute("query-memdev")) {
            String id = backend.path("id").asText();
            JsonNode path = memoryPath(id);
            if (path == null || !backend.path("share").asBoolean()) {
                throw new VmmException("the VMM on " + qmp + ": the memory \"" + id + "\" is "
                        + (path == null ? "not a file with a name" : "not shared")
                        + "; start the VM with -object memory-backend-file,id=" + id
                        + ",share=on,mem-path=FILE,… (in /dev/shm, for example)");
            }
            files.add(new GuestRamFile(
                    id, Path.of(path.asText()), backend.path("size").asLong()));
        }
        if (files.isEmpty()) {
            throw new VmmException("the VMM on " + qmp + " has no memory back-end; start the VM with -machine"
                    + " …,memory-backend=ram and -object memory-backend-file,id=ram,share=on,mem-path=FILE,…");
        }
        return files;
    }

    /**
     * Makes sure that a file is the guest's RAM, as far as that can be seen: the process that listens on the QMP socket has
     * not mapped another one of that name. One that has mapped nothing of the kind may only stand between exomem and the VMM.
     *
     * @param id the VMM's name for that RAM
     * @throws VmmException if the VMM has mapped another file, and not this
     */
    public void expectMapped(String id, SharedFile file) throws IOException {
        JsonNode path = memoryPath(id);
        if (path != null && mapped().hasAnotherThan(SharedMappings.nameOf(file), path.asText())) {
            throw new VmmException("the VMM on " + qmp + " has mapped other memory as \"" + id + "\" than " + file
                    + ", maybe because that was made anew under the same name: start the VMM anew");
        }
    }

    /** Looked at once: each look is a connection that a VMM with room for one leaves in its queue. */
    private SharedMappings mapped() {
        SharedMappings known = mapped;
        if (known == null) {
            try (Fd connection = UnixSockets.connectNow(qmp.socket())) {
                known = SharedMappings.of(Integer.toString(UnixSockets.peer(connection)));
            } catch (IOException e) {
                LOG.debug("nobody sees what the VMM on {} has mapped", qmp, e);
                known = SharedMappings.NONE;
            }
            mapped = known;
        }
        return known;
    }

    private @Nullable JsonNode memoryPath(String id) throws IOException {
        for (JsonNode property : qmp.execute("qom-list", Json.object().put("path", "/objects/" + id))) {
            if (property.path("name").asText().equals("mem-path")) {
                return qmp.property("/objects/" + id, "mem-path");
            }
        }
        return null;
    }

    /** The generic vhost-user devices that it has under an id; none if it knows no way to plug one in. */
    public List<PluggedDevice> devices() throws IOException {
        return commands.containsAll(HOTPLUG) ? PluggedDevice.of(qmp) : List.of();
    }

    /**
     * Takes a device out of the running guest; returns when the guest's driver has let it go.
     *
     * @param givenUp is asked meanwhile; true ends the wait
     * @throws VmmException if it doesn't within half a minute; it may still, see {@link #putBack}
     */
    public void unplug(PluggedDevice device, BooleanSupplier givenUp) throws IOException {
        leaving.add(device.id());
        try {
            qmp.execute("device_del", Json.object().put("id", device.id()));
        } catch (VmmException e) {
            if (e.isRefusal()) {
                leaving.remove(device.id());
            }
            throw e;
        }
        awaitGone(device, givenUp);
        removeSocket(device);
    }

    /** QEMU's device is busy with its socket for a little longer than it is there. */
    private void removeSocket(PluggedDevice device) throws IOException {
        long end = System.nanoTime() + SOCKET_LIMIT.toNanos();
        while (true) {
            try {
                qmp.execute("chardev-remove", Json.object().put("id", device.chardev()));
                return;
            } catch (VmmException e) {
                if (!e.isRefusal() || System.nanoTime() > end) {
                    throw e;
                }
            }
            qmp.await(event -> false, LOOK_AGAIN);
        }
    }

    private void awaitGone(PluggedDevice device, BooleanSupplier givenUp) throws IOException {
        long end = System.nanoTime() + UNPLUG_LIMIT.toNanos();
        while (has(device)) {
            if (givenUp.getAsBoolean() || System.nanoTime() > end) {
                throw new VmmException("the VMM on " + qmp + ": the guest did not let the device \"" + device.id()
                        + "\" go in " + UNPLUG_LIMIT.toSeconds() + " s, or before that was given up");
            }
            qmp.await(event -> event.path("event").asText().equals("DEVICE_DELETED"), LOOK_AGAIN);
        }
    }

    private boolean has(PluggedDevice device) throws IOException {
        for (JsonNode entry : qmp.execute("qom-list", Json.object().put("path", PluggedDevice.PERIPHERAL))) {
            if (entry.path("name").asText().equals(device.id())) {
                return true;
            }
        }
        return false;
    }

    /**
     * Has a device in the guest again that {@link #unplug} was called for, however far that came. There is no way to take
     * back that a device was asked to leave: this waits until it has left.
     *
     * @throws VmmException if it can't be plugged in, or does not leave within half a minute
     */
    public void putBack(PluggedDevice device) throws IOException {
        if (!leaving.contains(device.id())) {
            return;
        }
        awaitGone(device, () -> false);
        for (JsonNode chardev : qmp.execute("query-chardev")) {
            if (chardev.path("label").asText().equals(device.chardev())) {
                removeSocket(device);
            }
        }
        plug(device);
        leaving.remove(device.id());
    }

    /** Plugs a device in whose back-end listens, or connects, on its socket. */
    public void plug(PluggedDevice device) throws IOException {
        ObjectNode chardev = Json.object().put("id", device.chardev());
        ObjectNode data = chardev.putObject("backend").put("type", "socket").putObject("data");
        data.put("server", device.listening()).put("wait", false);
        data.putObject("addr")
                .put("type", "unix")
                .putObject("data")
                .put("path", device.socket().toString());
        if (!device.listening()) {
            data.remove("wait");
        }
        qmp.execute("chardev-add", chardev);
        qmp.execute("device_add", device.arguments());
    }

    /** Stops the guest's processors and devices. */
    public void pause() throws IOException {
        qmp.execute("stop");
    }

    /**
     * Takes back what {@link #pause} and {@link #saveState} did: ends what is under way of it, and returns when the guest is as
     * it was.
     *
     * @param running whether it ran
     * @throws VmmException if the VMM has gone, or does not do it within a minute
     */
    public void goOn(boolean running) throws IOException {
        long end = System.nanoTime() + GO_ON_LIMIT.toNanos();
        while (true) {
            try {
                if (!IDLE.contains(migration().path("status").asText())) {
                    qmp.execute("migrate_cancel");
                } else if (!running || isRunning()) {
                    return;
                } else {
                    qmp.execute("cont");
                    continue;
                }
            } catch (VmmException e) {
                // A VMM that still ends its own migration refuses cont.
                if (e.isEnd() || System.nanoTime() > end) {
                    throw e;
                }
            }
            if (System.nanoTime() > end) {
                throw new VmmException(
                        "the VMM on " + qmp + " did not let its guest go on in " + GO_ON_LIMIT.toSeconds() + " s");
            }
            qmp.await(event -> false, LOOK_AGAIN);
        }
    }

    /**
     * Lets a guest run that has come here.
     *
     * @throws VmmException if it does not, where that is a {@link VmmException#isRefusal refusal}; else nobody knows
     */
    public void start() throws VmmException {
        try {
            qmp.execute("cont", Json.object(), START_LIMIT);
        } catch (VmmException e) {
            if (e.isRefusal() || !isFoundRunning()) {
                throw e;
            }
        }
    }

    /** Asks over another connection, which is the one from now on. */
    private boolean isFoundRunning() {
        try {
            // First: a VMM that serves one connection would not answer another.
            qmp.close();
            qmp = QmpSession.connect(qmp.socket());
            return isRunning();
        } catch (IOException e) {
            return false;
        }
    }

    /** Whether {@link #throttle} works. QEMU slows a guest down for migrations of its own only. */
    public boolean canThrottle() {
        return commands.contains(THROTTLE);
    }

    /** @param percent of its time that the guest is to stand still */
    public void throttle(int percent) throws IOException {
        qmp.execute(THROTTLE, Json.object().put("percent", percent));
    }

    /** True unless the guest stands still until {@code cont}; one that sleeps (suspended) can wake up by itself. */
    public boolean isRunning() throws IOException {
        JsonNode status = qmp.execute("query-status");
        return status.path("running").asBoolean()
                || status.path("status").asText().equals("suspended");
    }

    /**
     * Makes sure that the VMM waits for a guest, and has none that its memory could be taken from.
     *
     * @throws VmmException if it doesn't
     */
    public void expectIncoming() throws IOException {
        String status = qmp.execute("query-status").path("status").asText();
        if (!status.equals(INCOMING)) {
            throw new VmmException("the VMM on " + qmp + " does not wait for a guest, it is " + status
                    + ": start it anew with -incoming defer");
        }
    }

    /** The file of the log in which the VMM notes the guest's writes, if it keeps one (spec/vmm.md). */
    public Optional<DirtyLogFile> dirtyLog() throws IOException {
        if (!commands.contains(DIRTY_LOG)) {
            return Optional.empty();
        }
        JsonNode log = qmp.execute(DIRTY_LOG);
        Path path = Path.of(log.path("path").asText());
        long size = log.path("size").asLong();
        if (log.path("page-size").asInt() != Pages.SIZE || size <= 0 || size > Files.size(path)) {
            throw new VmmException("the VMM on " + qmp + " keeps a log of writes that exomem can't read: " + log);
        }
        return Optional.of(new DirtyLogFile(path, size));
    }

    /**
     * Has the VMM write everything of the stopped guest but its RAM into a file.
     *
     * @param givenUp is asked meanwhile; true ends the wait
     * @throws VmmException if it doesn't; {@link #goOn} then ends what is under way of it
     */
    public void saveState(Path file, BooleanSupplier givenUp) throws IOException {
        move("migrate", file, "the state of the guest's devices could not be saved", givenUp);
    }

    /** Has a VMM that waits for it read what {@link #saveState} wrote, over RAM that is there already. */
    public void loadState(Path file) throws IOException {
        move("migrate-incoming", file, "the state of the guest's devices could not be loaded", () -> false);
    }

    /** The capability is the VMM's user's: a migration of their own must not leave memory out because of ours. */
    private void move(String command, Path file, String otherwise, BooleanSupplier givenUp) throws IOException {
        boolean before = leavesSharedMemory();
        leaveSharedMemory(true);
        try {
            qmp.execute(command, Json.object().put("uri", "file:" + file));
            awaitState(otherwise, givenUp);
        } finally {
            try {
                leaveSharedMemory(before);
            } catch (VmmException e) {
                LOG.warn("the capability {} may be left as exomem set it: {}", SHARED, e.getMessage());
            }
        }
    }

    private boolean leavesSharedMemory() throws VmmException {
        for (JsonNode capability : qmp.execute("query-migrate-capabilities")) {
            if (capability.path("capability").asText().equals(SHARED)) {
                return capability.path("state").asBoolean();
            }
        }
        return false;
    }

    private void leaveSharedMemory(boolean state) throws VmmException {
        ObjectNode arguments = Json.object();
        arguments.putArray("capabilities").addObject().put("capability", SHARED).put("state", state);
        qmp.execute("migrate-set-capabilities", arguments);
    }

    private JsonNode migration() throws VmmException {
        return qmp.execute("query-migrate");
    }

    private void awaitState(String otherwise, BooleanSupplier givenUp) throws IOException {
        long end = System.nanoTime() + STATE_LIMIT.toNanos();
        while (true) {
            JsonNode migration = migration();
            switch (migration.path("status").asText()) {
                case "completed" -> {
                    return;
                }
                case "failed", "cancelled" ->
                    throw new VmmException("the VMM on " + qmp + ": " + otherwise + ": "
                            + migration.path("error-desc").asText("it does not say why"));
                default -> {
                    if (givenUp.getAsBoolean() || System.nanoTime() > end) {
                        throw new VmmException("the VMM on " + qmp + ": " + otherwise + " in " + STATE_LIMIT.toSeconds()
                                + " s, or before that was given up");
                    }
                    qmp.await(event -> false, STATE_LOOK);
                }
            }
        }
    }

    @Override
    public void close() {
        qmp.close();
    }
}
