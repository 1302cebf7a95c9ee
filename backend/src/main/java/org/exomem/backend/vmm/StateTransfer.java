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
 * Everything of a guest but its shared RAM, in a file or sent to another VMM (VMM-6): the VMM's own migration with the capability
 * {@code x-ignore-shared}. Belongs to one thread.
 */
final class StateTransfer {
    private static final Logger LOG = LoggerFactory.getLogger(StateTransfer.class);

    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(1);
    private static final String NOT_SAVED = "the state of the guest's devices could not be saved";
    private static final String NOT_LOADED = "the state of the guest's devices could not be loaded";
    private static final String SHARED = "x-ignore-shared";
    /** What {@code query-migrate} says where nothing is under way. */
    private static final Set<String> IDLE = Set.of("", "none", "completed", "failed", "cancelled");

    private final QmpSession qmp;
    private final VmmPeer peer;
    private Optional<IgnoreSharedFile> note = Optional.empty();
    /** Of the process behind the QMP socket, 0 if that is not known. */
    private int pid;
    /** True while the VMM leaves memory out of its transfers because it was told to here. */
    private boolean ignoreShared;

    StateTransfer(QmpSession qmp, VmmPeer peer) {
        this.qmp = qmp;
        this.peer = peer;
    }

    /**
     * Where it is noted from now on that the VMM leaves memory out, as long as it does. Before the guest's pause, as the process behind
     * the QMP socket is looked for now.
     */
    void noteIn(Optional<IgnoreSharedFile> file) {
        note = file;
        try {
            pid = file.isPresent() ? peer.pid() : 0;
        } catch (IOException e) {
            LOG.debug("the process behind {} is not known: {}", qmp, e.toString());
        }
    }

    /**
     * Has the VMM write everything of the stopped guest but its shared RAM into a file.
     *
     * @param givenUp is asked meanwhile; true ends the wait
     * @throws VmmException if it doesn't; {@link #cancel} then ends it
     */
    void save(Path file, BooleanSupplier givenUp) throws IOException {
        move("migrate", "file:" + file, NOT_SAVED, givenUp);
    }

    /** Begins with {@link #save}, while {@link #ignoreShared} is open; {@link #awaitSaved} waits. */
    void beginSave(Path file) throws IOException {
        qmp.execute("migrate", Json.object().put("uri", "file:" + file));
    }

    /** Waits until what was begun is done; as {@link #save}. */
    void awaitSaved(BooleanSupplier givenUp) throws IOException {
        awaitEnd(NOT_SAVED, givenUp);
    }

    /** The same, to a VMM on this host that expects it on a socket. */
    void send(Path socket, BooleanSupplier givenUp) throws IOException {
        move("migrate", "unix:" + socket, NOT_SAVED, givenUp);
    }

    /**
     * Has a VMM that waits for a guest read what {@link #save} wrote, over RAM that is there already.
     *
     * @param givenUp is asked meanwhile; true ends the wait, and the VMM is of no use any more
     */
    void load(Path file, BooleanSupplier givenUp) throws IOException {
        move("migrate-incoming", "file:" + file, NOT_LOADED, givenUp);
    }

    /** Has a VMM that waits for a guest expect on a socket what {@link #send} sends; while {@link #ignoreShared} is open. */
    void expect(Path socket) throws IOException {
        qmp.execute("migrate-incoming", Json.object().put("uri", "unix:" + socket));
    }

    /** Waits until what was expected has come. */
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
     * Prepares {@link #save} or {@link #load} while there is time, and ends that while there is time again: a VMM that has just saved its
     * state is busy with that for a while. A migration of the VMM's own user must not leave memory out later: if exomem is killed before
     * it ends this, the next one does, by a {@link IgnoreSharedFile} (VMM-22).
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
                LOG.warn("the VMM's capability {} may still be as exomem set it: {}", SHARED, e.getMessage());
            }
        };
    }

    /** An exomem that was killed has set it, and nobody has taken it back so far. */
    private boolean isNoted() {
        try {
            return note.isPresent() && note.get().isThere() && note.get().read().pid() == pid;
        } catch (IOException e) {
            return false;
        }
    }

    /** The guest can be moved without. */
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
     * Has the VMM leave no memory out any more.
     *
     * @return false if it did not
     * @throws VmmException if it can't be told now, as when a transfer is under way
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

    /** Whoever began it. */
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
                            + migration.path("error-desc").asText("it does not say why"));
                default -> {
                    if (givenUp.getAsBoolean() || System.nanoTime() > end) {
                        throw new VmmException("the VMM on " + qmp + ": " + otherwise + " in " + LIMIT.toSeconds()
                                + " s, or before that was given up");
                    }
                    qmp.await(event -> false, LOOK_AGAIN);
                }
            }
        }
    }
}
