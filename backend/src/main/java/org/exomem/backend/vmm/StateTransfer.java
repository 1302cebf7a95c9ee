package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Transfers everything of a guest but its shared RAM, to a file or to another VMM (VMM-6). Uses the VMM's own migration with
 * the capability {@code x-ignore-shared}. For one thread.
 */
final class StateTransfer {
    private static final Logger LOG = LoggerFactory.getLogger(StateTransfer.class);

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(1);
    private static final String NOT_SAVED = "the state of the guest's devices could not be saved";
    private static final String NOT_LOADED = "the state of the guest's devices could not be loaded";
    private static final String SHARED = "x-ignore-shared";
    /** The states of {@code query-migrate} in which no transfer is under way. */
    private static final Set<String> IDLE = Set.of("", "none", "completed", "failed", "cancelled");

    private final QmpSession qmp;
    private final VmmPeer peer;
    private Optional<IgnoreSharedFile> note = Optional.empty();
    /** The id of the process behind the QMP socket; 0 if it is unknown. */
    private int pid;
    /** True while ignore-shared is on because of this object. */
    private boolean ignoreShared;

    StateTransfer(QmpSession qmp, VmmPeer peer) {
        this.qmp = qmp;
        this.peer = peer;
    }

    /**
     * Sets the file that exists from now on while ignore-shared is on. Call it before the guest's pause, because this looks
     * for the process behind the QMP socket.
     */
    void noteIn(Optional<IgnoreSharedFile> file) {
        note = file;
        try {
            pid = file.isPresent() ? peer.pid() : 0;
        } catch (IOException e) {
            LOG.debug("the process that serves {} is unknown: {}", qmp, e.toString());
        }
    }

    /**
     * Makes the VMM write everything of the stopped guest but its shared RAM to a file.
     *
     * @param givenUp is checked meanwhile; true ends the wait
     * @throws VmmException if the VMM does not do so within 60 s; then call {@link #cancel}
     */
    void save(Path file, BooleanSupplier givenUp) throws IOException {
        move("migrate", "file:" + file, NOT_SAVED, givenUp);
    }

    /** Begins {@link #save}. {@link #ignoreShared} must be open. {@link #awaitSaved} waits for the end. */
    void beginSave(Path file) throws IOException {
        qmp.execute("migrate", Json.object().put("uri", "file:" + file));
    }

    /** Waits for the end of {@link #beginSave}; throws what {@link #save} throws. */
    void awaitSaved(BooleanSupplier givenUp) throws IOException {
        awaitEnd(NOT_SAVED, givenUp);
    }

    /** Makes the VMM send the state to a VMM on this host that expects it on a socket. Otherwise as {@link #save}. */
    void send(Path socket, BooleanSupplier givenUp) throws IOException {
        move("migrate", "unix:" + socket, NOT_SAVED, givenUp);
    }

    /**
     * Makes a VMM that waits for a guest read what {@link #save} wrote. The RAM must be complete already, or come on demand.
     *
     * @param givenUp is checked meanwhile; true ends the wait, and the VMM can't be used any more
     * @throws VmmException if the VMM does not do so within 60 s
     */
    void load(Path file, BooleanSupplier givenUp) throws IOException {
        move("migrate-incoming", "file:" + file, NOT_LOADED, givenUp);
    }

    /**
     * Makes a VMM that waits for a guest expect on a socket what {@link #send} sends. {@link #ignoreShared} must be open.
     */
    void expect(Path socket) throws IOException {
        qmp.execute("migrate-incoming", Json.object().put("uri", "unix:" + socket));
    }

    /** Waits until the expected state has arrived. */
    void awaitExpected() throws IOException {
        awaitEnd(NOT_LOADED, () -> false);
    }

    private void move(String command, String address, String otherwise, BooleanSupplier givenUp) throws IOException {
        if (ignoreShared) {
            moveNow(command, address, otherwise, givenUp);
            return;
        }
        try (IgnoreShared _ = ignoreShared()) {
            moveNow(command, address, otherwise, givenUp);
        }
    }

    private void moveNow(String command, String address, String otherwise, BooleanSupplier givenUp) throws IOException {
        qmp.execute(command, Json.object().put("uri", address));
        awaitEnd(otherwise, givenUp);
    }

    /**
     * Switches on ignore-shared for {@link #save} or {@link #load}, outside of the guest's pause, and switches it off when
     * the result is closed: a VMM that has just saved its state is busy with that for a while. It must not stay on for later
     * migrations of the VMM's own user. If exomem is killed before it switches it off, the next exomem does so, because of
     * an {@link IgnoreSharedFile} (VMM-22).
     */
    IgnoreShared ignoreShared() throws IOException {
        boolean before = ignoresShared() && !isNoted();
        writeNote();
        setIgnoreShared(true);
        ignoreShared = true;
        return () -> {
            ignoreShared = false;
            try {
                setIgnoreShared(before);
                deleteNote();
            } catch (IOException e) {
                LOG.warn(
                        "the VMM's capability {} may still have the value that exomem set: {}", SHARED, e.getMessage());
            }
        };
    }

    /** True if an exomem that was killed has switched it on, and it was not switched off since. */
    private boolean isNoted() {
        try {
            return note.isPresent() && note.get().isThere() && note.get().read().pid() == pid;
        } catch (IOException e) {
            return false;
        }
    }

    /** A failure is only reported, as the guest can move without the file. */
    private void writeNote() {
        try {
            if (note.isPresent()) {
                note.get().write(new IgnoreSharedFile.Content(qmp.socket(), pid));
            }
        } catch (IOException e) {
            LOG.warn(
                    "if exomem is killed now, the capability {} stays set in the VMM on {}: {}",
                    SHARED,
                    qmp,
                    e.toString());
        }
    }

    private void deleteNote() throws IOException {
        if (note.isPresent()) {
            note.get().delete();
        }
    }

    /**
     * Switches off ignore-shared.
     *
     * @return false if it was off
     * @throws VmmException if the VMM refuses, for example because a transfer is under way
     */
    boolean resetIgnoreShared() throws VmmException {
        if (!ignoresShared()) {
            return false;
        }
        setIgnoreShared(false);
        return true;
    }

    private boolean ignoresShared() throws VmmException {
        for (JsonNode capability : qmp.execute("query-migrate-capabilities")) {
            if (capability.path("capability").asText().equals(SHARED)) {
                return capability.path("state").asBoolean();
            }
        }
        return false;
    }

    private void setIgnoreShared(boolean state) throws VmmException {
        ObjectNode arguments = Json.object();
        arguments.putArray("capabilities").addObject().put("capability", SHARED).put("state", state);
        qmp.execute("migrate-set-capabilities", arguments);
    }

    /** True if the VMM has a transfer under way, no matter who began it. */
    boolean isUnderWay() throws VmmException {
        return !IDLE.contains(qmp.execute("query-migrate").path("status").asText());
    }

    /** Cancels a transfer that is under way. Returns false if there is none. */
    boolean cancel() throws VmmException {
        if (!isUnderWay()) {
            return false;
        }
        qmp.execute("migrate_cancel");
        return true;
    }

    private void awaitEnd(String otherwise, BooleanSupplier givenUp) throws IOException {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (true) {
            JsonNode migration = qmp.execute("query-migrate");
            switch (migration.path("status").asText()) {
                case "completed" -> {
                    return;
                }
                case "failed", "cancelled" ->
                    throw new VmmException("the VMM on " + qmp + ": " + otherwise + ": "
                            + migration.path("error-desc").asText("no reason was reported"));
                default -> {
                    if (givenUp.getAsBoolean() || System.nanoTime() > end) {
                        throw new VmmException("the VMM on " + qmp + ": " + otherwise + " within " + LIMIT.toSeconds()
                                + " s, or before the operation was cancelled");
                    }
                    qmp.await(event -> false, LOOK_AGAIN);
                }
            }
        }
    }
}
