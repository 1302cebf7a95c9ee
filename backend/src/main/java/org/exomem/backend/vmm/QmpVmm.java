package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.OpenFiles;
import org.exomem.linux.process.ProcessFd;
import org.exomem.linux.process.ProcessStatus;
import org.exomem.pages.Pages;

/**
 * A VMM that speaks QMP as QEMU does. Its guest's RAM is moved by exomem, everything else by the VMM itself (capability
 * {@code x-ignore-shared}). Belongs to one thread; a call returns when the VMM has done it.
 */
public final class QmpVmm implements AutoCloseable {
    /** Long, as the caller can only wait: a VMM under load may take a while to have its guest run. */
    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    private static final Duration QUIT_LIMIT = Duration.ofSeconds(10);
    private static final Duration GO_ON_LIMIT = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final String INCOMING = "inmigrate";
    /** What the kernel says of a socket on which nobody listens, and of a process that has ended. */
    private static final Set<Integer> NOBODY = Set.of(Errno.ECONNREFUSED, Errno.ENOENT, Errno.ESRCH);

    private static final String THROTTLE = "x-throttle";
    private static final int LOGGED_PAGE = 4096;
    private static final String DIRTY_LOG = "query-dirty-log";

    private final QmpSession qmp;
    private final Set<String> commands = new HashSet<>();
    private final VmmPeer peer;
    private final VmmRam ram;
    private final HotPlug hotPlug;
    private final MigrationBlockers blockers;
    private final StateTransfer state;

    private QmpVmm(QmpSession qmp) throws IOException {
        this.qmp = qmp;
        // VMM-1
        for (JsonNode command : qmp.execute("query-commands")) {
            commands.add(command.path("name").asText());
        }
        peer = new VmmPeer(qmp);
        ram = new VmmRam(qmp, peer);
        hotPlug = new HotPlug(qmp, commands);
        blockers = new MigrationBlockers(qmp, hotPlug.isSupported());
        state = new StateTransfer(qmp, peer);
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

    /** Where it listens. */
    public Path socket() {
        return qmp.socket();
    }

    /** As {@link VmmRam#files}. */
    public List<GuestRamFile> ram() throws IOException {
        return ram.files();
    }

    /** As {@link VmmRam#ownFiles}. */
    public List<GuestRamFile> ownRam() throws IOException {
        return ram.ownFiles();
    }

    /** As {@link VmmRam#templates}. */
    public Map<String, Path> templates() throws IOException {
        return ram.templates();
    }

    /** As {@link VmmRam#expectMapped}. */
    public void expectMapped(String id, SharedFile file) throws IOException {
        ram.expectMapped(id, file);
    }

    /** As {@link VmmRam#expectKept}. */
    public void expectRamKept() throws IOException {
        ram.expectKept();
    }

    /**
     * Ends the VMM, and returns when its process has ended, so that what it held is free.
     *
     * @throws IOException if it does not end within 10 s
     */
    public void quit() throws IOException {
        try (ProcessFd process = peer.open()) {
            try {
                qmp.execute("quit");
            } catch (VmmException e) {
                if (!e.isEnd()) {
                    throw e;
                }
            }
            if (!process.awaitEnd(QUIT_LIMIT)) {
                throw new VmmException(process + " was told to end, and does not");
            }
        }
    }

    /**
     * Ends a VMM whose guest has never run. One that does not do so, as it waits for memory that does not come, is killed: nothing is
     * lost by that. One that has ended by itself, as QEMU does where it can't load a state, is no failure. Nobody else may be connected to
     * its socket.
     *
     * @param socket on which it listens for QMP
     * @throws IOException if it can't be seen from here, or does not end within 10 s
     */
    public static void discard(Path socket) throws IOException {
        try (ProcessFd process = VmmPeer.open(socket)) {
            try (QmpVmm vmm = connect(socket)) {
                vmm.quit();
            } catch (VmmException e) {
                process.kill();
                if (!process.awaitEnd(QUIT_LIMIT)) {
                    throw new VmmException(process + " was killed, and does not end", e);
                }
            }
        } catch (LinuxException e) {
            if (!NOBODY.contains(e.errno())) {
                throw e;
            }
        }
    }

    /** As {@link WatchedVmm#open}. */
    public WatchedVmm watched() throws IOException {
        return WatchedVmm.open(qmp, peer, commands);
    }

    /** The number of the process that listens on the QMP socket; 0 if it can't be seen from here. */
    public int pid() throws IOException {
        return peer.pid();
    }

    /** Returns the user that the process runs as which listens on the QMP socket, if that can be seen from here. */
    public OptionalInt user() {
        try {
            int pid = peer.pid();
            return pid <= 0
                    ? OptionalInt.empty()
                    : OptionalInt.of(ProcessStatus.of(pid).user());
        } catch (IOException e) {
            // A VMM, or what is in between, may take one connection only.
            return OptionalInt.empty();
        }
    }

    /**
     * Asks each time: devices come and go.
     *
     * @throws IOException if the VMM does not tell, or what its process has open can't be seen from here
     */
    public DirectWrites directWrites() throws IOException {
        return DirectWrites.of(qmp, commands, OpenFiles.of(peer.pid()));
    }

    /** As {@link HotPlug#devices}. */
    public List<PluggedDevice> devices() throws IOException {
        return hotPlug.devices();
    }

    /** As {@link MigrationBlockers#refuse}. */
    public void refuseWhatStays(Collection<PluggedDevice> takenOut) throws IOException {
        blockers.refuse(takenOut);
    }

    /** As {@link HotPlug#unplug}. */
    public void unplug(PluggedDevice device, BooleanSupplier givenUp) throws IOException {
        hotPlug.unplug(device, givenUp);
    }

    /** As {@link HotPlug#putBack}. */
    public void putBack(PluggedDevice device) throws IOException {
        hotPlug.putBack(device);
    }

    /** As {@link HotPlug#plugAgain}. */
    public void plugAgain(PluggedDevice device) throws IOException {
        hotPlug.plugAgain(device);
    }

    /** As {@link HotPlug#plug}. */
    public void plug(PluggedDevice device) throws IOException {
        hotPlug.plug(device);
    }

    /** Stops the guest's processors and devices (VMM-2). */
    public void pause() throws IOException {
        qmp.execute("stop");
    }

    /**
     * Takes back what {@link #pause}, {@link #saveState} and {@link #beginSave} did: cancels a transfer that is under way, and returns when the
     * guest is as it was (VMM-6).
     *
     * @param running whether it ran
     * @throws VmmException if the VMM has gone, or does not do it within a minute
     */
    public void goOn(boolean running) throws IOException {
        long end = System.nanoTime() + GO_ON_LIMIT.toNanos();
        while (true) {
            try {
                if (!state.cancel()) {
                    if (!running || isRunning()) {
                        return;
                    }
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
                throw didNotRunOn();
            }
            qmp.await(event -> false, LOOK_AGAIN);
        }
    }

    /** True while the VMM saves or moves its guest, whoever told it to. */
    public boolean isTransferring() throws IOException {
        return state.isUnderWay();
    }

    /**
     * Has the guest run on that {@link #pause} has stopped, and nothing else has.
     *
     * @throws VmmException if the VMM has gone, or does not do it within a minute
     */
    public void runOn() throws IOException {
        long end = System.nanoTime() + GO_ON_LIMIT.toNanos();
        while (true) {
            try {
                qmp.execute("cont");
                if (isRunning()) {
                    return;
                }
            } catch (VmmException e) {
                if (e.isEnd() || System.nanoTime() > end) {
                    throw e;
                }
            }
            if (System.nanoTime() > end) {
                throw didNotRunOn();
            }
            qmp.await(event -> false, LOOK_AGAIN);
        }
    }

    private VmmException didNotRunOn() {
        return new VmmException(
                "the VMM on " + qmp + " did not have its guest run on in " + GO_ON_LIMIT.toSeconds() + " s");
    }

    /**
     * Has a guest run that has arrived here (VMM-2, VMM-7).
     *
     * @throws VmmException if the VMM refuses ({@link VmmException#isRefusal}): the guest does not run; any other: it may run
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

    /** Asks over a new connection, which replaces the one before. */
    private boolean isFoundRunning() {
        try {
            qmp.reconnect();
            return isRunning();
        } catch (IOException e) {
            return false;
        }
    }

    /** Whether {@link #throttle} works (VMM-13). QEMU slows a guest down for migrations of its own only. */
    public boolean canThrottle() {
        return commands.contains(THROTTLE);
    }

    /** @param percent of its time that the guest is to stand still, 0 to 99 */
    public void throttle(int percent) throws IOException {
        qmp.execute(THROTTLE, Json.object().put("percent", percent));
    }

    /** False if the guest runs only after {@code cont}. A suspended guest counts as running: it can wake up by itself. */
    public boolean isRunning() throws IOException {
        JsonNode status = qmp.execute("query-status");
        return status.path("running").asBoolean()
                || status.path("status").asText().equals("suspended");
    }

    /** True if it waits for a guest to arrive (VMM-2). */
    public boolean isWaiting() throws IOException {
        return qmp.execute("query-status").path("status").asText().equals(INCOMING);
    }

    /** As {@link QmpSession#version}. */
    public String version() {
        return qmp.version();
    }

    /** True if the VMM says that it is QEMU. */
    public boolean isQemu() {
        return qmp.isQemu();
    }

    /** How often the machine was reset since this is connected, up to the last answer of the VMM. */
    public long resets() {
        return qmp.resets();
    }

    /**
     * Makes sure that the VMM waits for a guest (VMM-2), as the memory of any other must not be overwritten, and that the guest
     * can arrive there (VMM-15).
     *
     * @throws VmmException if not
     */
    public void expectIncoming() throws IOException {
        if (!isWaiting()) {
            String status = qmp.execute("query-status").path("status").asText();
            throw new VmmException("the VMM on " + qmp + " does not wait for a guest, it is " + status
                    + ": start it anew with -incoming defer");
        }
        blockers.refuseDevicesOfAWaitingVmm();
    }

    /**
     * Returns the file of the log in which the VMM notes the guest's writes, if it keeps one (VMM-8).
     *
     * @throws VmmException if the log is one that exomem can't read
     */
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

    /** As {@link StateTransfer#noteIn}. */
    public void noteIn(Optional<IgnoreSharedFile> file) {
        state.noteIn(file);
    }

    /** As {@link StateTransfer#resetIgnoreShared}. */
    public boolean resetIgnoreShared() throws IOException {
        return state.resetIgnoreShared();
    }

    /** As {@link StateTransfer#ignoreShared}. */
    public IgnoreShared ignoreShared() throws IOException {
        return state.ignoreShared();
    }

    /** As {@link StateTransfer#save}. */
    public void saveState(Path file, BooleanSupplier givenUp) throws IOException {
        state.save(file, givenUp);
    }

    /** As {@link StateTransfer#beginSave}. */
    public void beginSave(Path file) throws IOException {
        state.beginSave(file);
    }

    /** As {@link StateTransfer#awaitSaved}. */
    public void awaitSaved(BooleanSupplier givenUp) throws IOException {
        state.awaitSaved(givenUp);
    }

    /** As {@link StateTransfer#send}. */
    public void sendState(Path socket, BooleanSupplier givenUp) throws IOException {
        state.send(socket, givenUp);
    }

    /** As {@link StateTransfer#expect}. */
    public void expectState(Path socket) throws IOException {
        state.expect(socket);
    }

    /** As {@link StateTransfer#awaitExpected}. */
    public void awaitState() throws IOException {
        state.awaitExpected();
    }

    /** As {@link StateTransfer#load}. */
    public void loadState(Path file) throws IOException {
        state.load(file, () -> false);
    }

    /** As {@link StateTransfer#load}. */
    public void loadState(Path file, BooleanSupplier givenUp) throws IOException {
        state.load(file, givenUp);
    }

    @Override
    public void close() {
        qmp.close();
    }
}
