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
 * A VMM that speaks QMP as QEMU does. exomem moves its guest's RAM, and the VMM moves everything else itself (capability
 * {@code x-ignore-shared}). For one thread. A call returns when the VMM has executed it.
 */
public final class QmpVmm implements AutoCloseable {
    /** A long limit, because there is no alternative to waiting: a VMM under load may take long to start its guest. */
    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    private static final Duration QUIT_LIMIT = Duration.ofSeconds(10);
    private static final Duration GO_ON_LIMIT = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final String INCOMING = "inmigrate";
    /** The errors for a socket on which no process listens, and for a process that has ended. */
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

    /**
     * Connects to the QMP socket of a VMM.
     *
     * @throws VmmException if no process listens there, or it does not speak QMP
     */
    public static QmpVmm connect(Path socket) throws IOException {
        QmpSession qmp = QmpSession.connect(socket);
        try {
            return new QmpVmm(qmp);
        } catch (IOException | RuntimeException e) {
            qmp.close();
            throw e;
        }
    }

    /** The path of the QMP socket. */
    public Path socket() {
        return qmp.socket();
    }

    /** See {@link VmmRam#files}. */
    public List<GuestRamFile> ram() throws IOException {
        return ram.files();
    }

    /** See {@link VmmRam#ownFiles}. */
    public List<GuestRamFile> ownRam() throws IOException {
        return ram.ownFiles();
    }

    /** See {@link VmmRam#templates}. */
    public Map<String, Path> templates() throws IOException {
        return ram.templates();
    }

    /** See {@link VmmRam#expectMapped}. */
    public void expectMapped(String id, SharedFile file) throws IOException {
        ram.expectMapped(id, file);
    }

    /** See {@link VmmRam#expectKept}. */
    public void expectRamKept() throws IOException {
        ram.expectKept();
    }

    /**
     * Ends the VMM. Returns when its process has ended, so that its resources are free.
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
                throw new VmmException(process + " was asked to quit, but does not end");
            }
        }
    }

    /**
     * Ends a VMM whose guest has never run. If the VMM does not obey, because it waits for memory that never arrives, it is
     * killed: nothing is lost by that. A VMM that has already ended, as QEMU does when it can't load a state, is no failure.
     * No other client may be connected to its socket.
     *
     * @param socket on which it listens for QMP
     * @throws IOException if its process can't be seen from here, or does not end within 10 s
     */
    public static void discard(Path socket) throws IOException {
        try (ProcessFd process = VmmPeer.open(socket)) {
            try (QmpVmm vmm = connect(socket)) {
                vmm.quit();
            } catch (VmmException e) {
                process.kill();
                if (!process.awaitEnd(QUIT_LIMIT)) {
                    throw new VmmException(process + " was killed, but does not end", e);
                }
            }
        } catch (LinuxException e) {
            if (!NOBODY.contains(e.errno())) {
                throw e;
            }
        }
    }

    /** See {@link WatchedVmm#open}. */
    public WatchedVmm watched() throws IOException {
        return WatchedVmm.open(qmp, peer, commands);
    }

    /** The id of the process that listens on the QMP socket; 0 if it can't be seen from here. */
    public int pid() throws IOException {
        return peer.pid();
    }

    /** Returns the user id of the process that listens on the QMP socket, if it can be seen from here. */
    public OptionalInt user() {
        try {
            int pid = peer.pid();
            return pid <= 0
                    ? OptionalInt.empty()
                    : OptionalInt.of(ProcessStatus.of(pid).user());
        } catch (IOException e) {
            // A VMM, or a proxy before it, may accept one connection only.
            return OptionalInt.empty();
        }
    }

    /**
     * Returns the direct writes that are possible now. Asks the VMM at each call, because devices are added and removed.
     *
     * @throws IOException if the VMM does not report them, or the open files of its process can't be seen from here
     */
    public DirectWrites directWrites() throws IOException {
        return DirectWrites.of(qmp, commands, OpenFiles.of(peer.pid()));
    }

    /** See {@link HotPlug#devices}. */
    public List<PluggedDevice> devices() throws IOException {
        return hotPlug.devices();
    }

    /** See {@link MigrationBlockers#refuse}. */
    public void refuseWhatStays(Collection<PluggedDevice> takenOut) throws IOException {
        blockers.refuse(takenOut);
    }

    /** See {@link HotPlug#unplug}. */
    public void unplug(PluggedDevice device, BooleanSupplier givenUp) throws IOException {
        hotPlug.unplug(device, givenUp);
    }

    /** See {@link HotPlug#putBack}. */
    public void putBack(PluggedDevice device) throws IOException {
        hotPlug.putBack(device);
    }

    /** See {@link HotPlug#plugAgain}. */
    public void plugAgain(PluggedDevice device) throws IOException {
        hotPlug.plugAgain(device);
    }

    /** See {@link HotPlug#plug}. */
    public void plug(PluggedDevice device) throws IOException {
        hotPlug.plug(device);
    }

    /** Stops the guest's processors and devices (VMM-2). */
    public void pause() throws IOException {
        qmp.execute("stop");
    }

    /**
     * Undoes {@link #pause}, {@link #saveState} and {@link #beginSave}: cancels a transfer that is under way, and returns
     * when the guest is as it was (VMM-6).
     *
     * @param running whether the guest ran before
     * @throws VmmException if the VMM has ended, or does not obey within a minute
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
                // A VMM that is still ending its own migration refuses cont.
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

    /** True while the VMM saves or moves its guest, no matter who requested that. */
    public boolean isTransferring() throws IOException {
        return state.isUnderWay();
    }

    /**
     * Resumes a guest that only {@link #pause} has stopped.
     *
     * @throws VmmException if the VMM has ended, or does not obey within a minute
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
                "the VMM on " + qmp + " did not resume its guest within " + GO_ON_LIMIT.toSeconds() + " s");
    }

    /**
     * Starts a guest that has arrived here (VMM-2, VMM-7).
     *
     * @throws VmmException if the VMM refuses ({@link VmmException#isRefusal}): the guest does not run; in any other case
     *     the guest may run
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

    /** Asks over a new connection, which replaces the present one. */
    private boolean isFoundRunning() {
        try {
            qmp.reconnect();
            return isRunning();
        } catch (IOException e) {
            return false;
        }
    }

    /** True if {@link #throttle} works (VMM-13). QEMU throttles a guest only for its own migrations. */
    public boolean canThrottle() {
        return commands.contains(THROTTLE);
    }

    /**
     * Slows the guest down (VMM-13).
     *
     * @param percent of its time during which the guest is stopped, 0 to 99
     */
    public void throttle(int percent) throws IOException {
        qmp.execute(THROTTLE, Json.object().put("percent", percent));
    }

    /** True unless the guest needs {@code cont} to run. A suspended guest counts as running: it can wake up by itself. */
    public boolean isRunning() throws IOException {
        JsonNode status = qmp.execute("query-status");
        return status.path("running").asBoolean()
                || status.path("status").asText().equals("suspended");
    }

    /** True if the VMM waits for a guest to arrive (VMM-2). */
    public boolean isWaiting() throws IOException {
        return qmp.execute("query-status").path("status").asText().equals(INCOMING);
    }

    /** See {@link QmpSession#version}. */
    public String version() {
        return qmp.version();
    }

    /** True if the VMM identifies itself as QEMU. */
    public boolean isQemu() {
        return qmp.isQemu();
    }

    /** How often the machine was reset since this connected, as known from the VMM's last answer. */
    public long resets() {
        return qmp.resets();
    }

    /**
     * Checks that the VMM waits for a guest (VMM-2), because the memory of a guest that runs must not be overwritten, and
     * that a guest can arrive there (VMM-15).
     *
     * @throws VmmException if not
     */
    public void expectIncoming() throws IOException {
        if (!isWaiting()) {
            String status = qmp.execute("query-status").path("status").asText();
            throw new VmmException("the VMM on " + qmp + " does not wait for an incoming guest (status " + status
                    + "): restart it with -incoming defer");
        }
        blockers.refuseDevicesOfAWaitingVmm();
    }

    /**
     * Returns the file in which the VMM logs the guest's writes, if it has one (VMM-8).
     *
     * @throws VmmException if exomem can't read such a log
     */
    public Optional<DirtyLogFile> dirtyLog() throws IOException {
        if (!commands.contains(DIRTY_LOG)) {
            return Optional.empty();
        }
        JsonNode log = qmp.execute(DIRTY_LOG);
        Path path = Path.of(log.path("path").asText());
        long size = log.path("size").asLong();
        if (log.path("page-size").asInt() != Pages.SIZE || size <= 0 || size > Files.size(path)) {
            throw new VmmException("the VMM on " + qmp + " keeps a dirty log that exomem can't read: " + log);
        }
        return Optional.of(new DirtyLogFile(path, size));
    }

    /** See {@link StateTransfer#noteIn}. */
    public void noteIn(Optional<IgnoreSharedFile> file) {
        state.noteIn(file);
    }

    /** See {@link StateTransfer#resetIgnoreShared}. */
    public boolean resetIgnoreShared() throws IOException {
        return state.resetIgnoreShared();
    }

    /** See {@link StateTransfer#ignoreShared}. */
    public IgnoreShared ignoreShared() throws IOException {
        return state.ignoreShared();
    }

    /** See {@link StateTransfer#save}. */
    public void saveState(Path file, BooleanSupplier givenUp) throws IOException {
        state.save(file, givenUp);
    }

    /** See {@link StateTransfer#beginSave}. */
    public void beginSave(Path file) throws IOException {
        state.beginSave(file);
    }

    /** See {@link StateTransfer#awaitSaved}. */
    public void awaitSaved(BooleanSupplier givenUp) throws IOException {
        state.awaitSaved(givenUp);
    }

    /** See {@link StateTransfer#send}. */
    public void sendState(Path socket, BooleanSupplier givenUp) throws IOException {
        state.send(socket, givenUp);
    }

    /** See {@link StateTransfer#expect}. */
    public void expectState(Path socket) throws IOException {
        state.expect(socket);
    }

    /** See {@link StateTransfer#awaitExpected}. */
    public void awaitState() throws IOException {
        state.awaitExpected();
    }

    /** See {@link StateTransfer#load}. */
    public void loadState(Path file) throws IOException {
        state.load(file, () -> false);
    }

    /** See {@link StateTransfer#load}. */
    public void loadState(Path file, BooleanSupplier givenUp) throws IOException {
        state.load(file, givenUp);
    }

    @Override
    public void close() {
        qmp.close();
    }
}
