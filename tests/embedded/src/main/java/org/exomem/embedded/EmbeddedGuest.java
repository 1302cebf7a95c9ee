package org.exomem.embedded;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.exomem.conformance.guest.GuestRam;
import org.jspecify.annotations.Nullable;

/**
 * An embedded VMM with its guest, in this process. Its QMP socket controls it; the methods here do the same. Safe for
 * use by several threads.
 */
public final class EmbeddedGuest implements AutoCloseable {
    private final EmbeddedOptions options;
    private final EmbeddedRam ram;
    private final GuestProgram program;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final EmbeddedDevices devices;
    private @Nullable QmpServer server;
    private RunState state;
    private boolean runsAfterwards = true;
    private volatile @Nullable String failure;
    private boolean closed;

    private EmbeddedGuest(EmbeddedOptions options, EmbeddedRam ram) {
        this.options = options;
        this.ram = ram;
        this.program = new GuestProgram(ram, options.processors(), options.seed(), this::fail);
        this.devices = new EmbeddedDevices(this, ram, program, options.hints());
        this.state = RunState.INMIGRATE;
    }

    /**
     * Starts a guest. It runs unless it waits for the state of another guest. Its program uses no memory yet. If it has
     * a balloon and runs, the balloon's driver has started.
     *
     * @throws IOException if the memory or the socket can't be created, or the balloon's back-end does not work
     */
    public static EmbeddedGuest start(EmbeddedOptions options) throws IOException {
        EmbeddedRam ram = options.isClone()
                ? EmbeddedRam.ofTemplate(options.ram(), options.size(), options.low())
                : EmbeddedRam.open(options.ram(), options.size(), options.low(), options.log());
        EmbeddedGuest guest = new EmbeddedGuest(options, ram);
        try {
            guest.begin();
            return guest;
        } catch (IOException e) {
            guest.close();
            throw e;
        }
    }

    private synchronized void begin() throws IOException {
        program.start();
        server = QmpServer.listen(options.qmp(), new EmbeddedCommands(this));
        Path balloon = options.balloon();
        if (balloon != null) {
            devices.plugFirst(balloon);
        }
        if (!options.incoming()) {
            state = RunState.RUNNING;
            letRun();
            devices.awaitDrivers();
        }
    }

    private void letRun() {
        program.resume();
        devices.resume();
    }

    private void halt() {
        program.pause();
        devices.pause();
    }

    public EmbeddedOptions options() {
        return options;
    }

    EmbeddedRam ram() {
        return ram;
    }

    GuestProgram program() {
        return program;
    }

    EmbeddedDevices devices() {
        return devices;
    }

    synchronized RunState state() {
        return state;
    }

    /** Why the guest has failed; null if it has not. */
    public @Nullable String failure() {
        return failure;
    }

    private void event(String name) {
        event(name, QmpServer.object());
    }

    void event(String name, ObjectNode data) {
        QmpServer current = server;
        if (current != null) {
            current.event(name, data);
        }
    }

    synchronized void plug(String id, String chardev, ObjectNode arguments) throws IOException {
        devices.plug(id, chardev, arguments, state == RunState.RUNNING);
    }

    /** Stops the guest. When this returns, all that it wrote is in memory and recorded in the log. */
    public synchronized void stop() {
        if (state == RunState.RUNNING) {
            halt();
            state = RunState.PAUSED;
            event("STOP");
        }
        runsAfterwards = false;
    }

    /** Resumes the guest. A guest that waits for the state of another runs as soon as the state is there. */
    public synchronized void cont() {
        switch (state) {
            case RUNNING -> {}
            case INMIGRATE -> runsAfterwards = true;
            case PAUSED, POSTMIGRATE -> {
                state = RunState.RUNNING;
                letRun();
                event("RESUME");
            }
            case GUEST_PANICKED -> throw new IllegalStateException("the guest can't continue: " + failure);
        }
    }

    /**
     * Stops the guest, and writes its state without its memory to a file.
     *
     * @throws IllegalStateException if it has a device: such a device can't be migrated, as QEMU's generic one can't
     */
    public synchronized void save(Path file) throws IOException {
        boolean ran = state == RunState.RUNNING;
        if (state == RunState.INMIGRATE || state == RunState.GUEST_PANICKED) {
            throw new IOException("a guest that is " + state + " has no state to save");
        }
        String device = devices.any();
        if (device != null) {
            throw new IllegalStateException("State blocked by non-migratable device '" + device + "'");
        }
        stop();
        try {
            StateFile.save(file, machine(), ran, program);
            state = RunState.POSTMIGRATE;
        } catch (IOException e) {
            Files.deleteIfExists(file);
            if (ran) {
                cont();
            }
            throw e;
        }
    }

    /** Loads the state of another guest whose memory is there already. */
    public synchronized void load(Path file) throws IOException {
        if (state != RunState.INMIGRATE) {
            throw new IOException("'-incoming' was not specified on the command line");
        }
        boolean ran = StateFile.load(file, machine(), program);
        state = RunState.PAUSED;
        if (ran && runsAfterwards) {
            cont();
        }
    }

    private StateFile.Machine machine() {
        return new StateFile.Machine(ram.size(), ram.low(), options.processors());
    }

    /**
     * Makes the guest's program take and write memory, and then release memory. Returns when it has.
     *
     * @param fill bytes
     * @param free bytes; memory that was taken last is released first, and its content does not change
     * @throws IllegalStateException if the guest does not run, or has too little memory
     */
    public void work(long fill, long free) {
        if ((fill > 0 || free > 0) && state() != RunState.RUNNING) {
            throw new IllegalStateException("the guest is " + state() + " and does not run");
        }
        if (fill > 0 && !program.work(Job.Kind.FILL, fill / GuestRam.PAGE)) {
            throw new IllegalStateException("the guest does not have enough free memory");
        }
        if (free > 0 && !program.work(Job.Kind.FREE, free / GuestRam.PAGE)) {
            throw new IllegalStateException("the guest's program does not use that much memory");
        }
    }

    /**
     * Changes the program's permanent load. The rates are pages a second for all processors together; the largest int
     * means no limit.
     */
    public void busy(long writes, long churn, long checks, boolean pressure) {
        program.setLoad(new Load(writes, churn, checks, pressure));
    }

    /**
     * The use of the guest's memory.
     *
     * @param held bytes that the program uses
     * @param free bytes that are unused, including hinted memory, without the balloon's
     */
    public record Usage(long held, long free) {}

    public synchronized Usage usage() {
        return stopped(() -> new Usage(
                program.heldPages() * GuestRam.PAGE, program.allocator().available() * GuestRam.PAGE));
    }

    /** Stops the guest, verifies all memory that its program uses, and lets it continue. Returns what is wrong. */
    public List<String> verify() {
        List<String> wrong;
        synchronized (this) {
            wrong = stopped(program::verify);
        }
        if (!wrong.isEmpty()) {
            fail(wrong.getFirst());
        }
        return wrong;
    }

    private <T> T stopped(Supplier<T> task) {
        boolean runs = state == RunState.RUNNING;
        if (runs) {
            program.pause();
        }
        try {
            return task.get();
        } finally {
            if (runs) {
                program.resume();
            }
        }
    }

    private void fail(String message) {
        synchronized (this) {
            if (failure != null || closed) {
                return;
            }
            failure = message;
            program.pause();
            state = RunState.GUEST_PANICKED;
        }
        ObjectNode data = QmpServer.object().put("action", "pause");
        data.putObject("info").put("message", message);
        event("GUEST_PANICKED", data);
        ended.countDown();
    }

    /** Asks the VMM to end. */
    void quit() {
        ended.countDown();
    }

    /** Waits for a request to quit or a failure of the guest. Returns false if neither came in this time. */
    public boolean awaitEnd(Duration limit) throws InterruptedException {
        return ended.await(limit.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Ends the guest and its VMM. Keeps the memory file, and deletes the log file. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        if (server != null) {
            server.close();
        }
        devices.close();
        program.close();
        ram.close();
        ended.countDown();
    }
}
