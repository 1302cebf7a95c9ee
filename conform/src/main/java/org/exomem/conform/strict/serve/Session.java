package org.exomem.conform.strict.serve;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.front.MessageReader;
import org.exomem.conform.strict.observe.Account;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Role;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Traffic;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
import org.jspecify.annotations.Nullable;

/** The session of one front-end, from its connection to its end. For one thread. */
final class Session implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final Duration SOON = Duration.ofMillis(1);
    private static final Duration TICK = Duration.ofMillis(50);

    private final MessageSocket socket;
    private final MessageReader reader;
    private final Transcript transcript;
    private final Scene scene;
    private final Account account;
    private final ServedDevice device;
    private final RingServing serving;
    private final Requests requests;
    private final Script script;
    private final SessionNotes notes = new SessionNotes();
    private final Provoking provoking;
    private @Nullable OwnChannel channel;
    private boolean ended;
    private boolean byFrontEnd;

    /** Takes the connection over. */
    Session(Fd connection, Scene scene, Account account, Transcript transcript, Provocation provocation) {
        this.socket = new MessageSocket(connection);
        Traffic traffic = transcript.backEnd();
        this.reader = new MessageReader(socket, traffic, PATIENCE);
        this.transcript = transcript;
        this.scene = scene;
        this.account = account;
        this.provoking = new Provoking(provocation, notes, transcript);
        if (scene.offer().device() == DeviceType.MEM) {
            this.device = new ServedMem(scene.mem(), this::configChanged);
        } else {
            ServedBalloon balloon = new ServedBalloon(this::configChanged);
            balloon.onCallForNothing(this::callForNothing);
            this.device = balloon;
        }
        this.serving = new RingServing(scene, device, transcript, this::see);
        this.requests = new Requests(socket, traffic, scene, device, this, provocation);
        this.script = new Script(device.stages(), transcript);
    }

    /** Serves until the front-end has gone, or {@code enough} returns true. */
    void run(BooleanSupplier enough, EventFd wake) throws IOException {
        boolean soon = false;
        while (!ended && !enough.getAsBoolean()) {
            Poll.anyReadable(watched(wake), soon ? SOON : TICK);
            wake.drain();
            try {
                soon = step();
            } catch (InternalError e) {
                // A file of guest memory was truncated.
                see(new Event.Garbled("a file of guest memory was truncated below the part that the front-end shares"));
                ended = true;
            }
        }
        see(new Event.Ended(byFrontEnd));
    }

    private boolean step() throws IOException {
        if (Poll.readable(socket.fd(), Duration.ZERO)) {
            receive();
        }
        long now = System.nanoTime();
        boolean soon = false;
        for (Ring ring : List.copyOf(scene.rings())) {
            soon |= serving.step(ring, now);
        }
        script.step(scene, now);
        OwnChannel own = channel;
        if (own != null) {
            own.step(scene, now).ifPresent(this::see);
            provoking.step(scene, own, script, now);
            soon |= own.isBusy();
        }
        see(new Event.Tick(now));
        return soon;
    }

    private List<Fd> watched(EventFd wake) {
        List<Fd> all = new ArrayList<>(List.of(socket.fd(), wake.fd()));
        for (Ring ring : scene.rings()) {
            EventFd kick = ring.kick();
            if (kick != null && scene.isActive(ring) && ring.fault().isEmpty()) {
                all.add(kick.fd());
            }
        }
        Fd own = channel == null ? null : channel.fd();
        if (own != null) {
            all.add(own);
        }
        return all;
    }

    private void receive() throws IOException {
        switch (reader.read()) {
            case MessageReader.Whole(FrontEndMessage message) -> {
                see(new Event.Requested(message));
                notes.requested(message, scene);
                try {
                    requests.serve(message);
                } catch (LinuxException e) {
                    // The front-end has gone, or does not read.
                    transcript.say("the answer could not be sent: " + e.getMessage());
                    ended = true;
                    byFrontEnd = true;
                }
                see(new Event.Served(message));
            }
            case MessageReader.Broken(String why, byte[] bytes) -> {
                transcript.say(why + " [" + java.util.HexFormat.of().formatHex(bytes) + "]");
                see(new Event.Garbled(why));
                ended = true;
            }
            case MessageReader.End() -> {
                ended = true;
                byFrontEnd = true;
                frontEndHasGone();
            }
        }
    }

    /** The front-end will not answer the requests of the device any more. */
    private void frontEndHasGone() {
        OwnChannel own = channel;
        if (own != null && own.isAnswerDue()) {
            transcript.say("CONFIG_CHANGE with need-reply, sent " + own.awaitedMillis(System.nanoTime())
                    + " ms before, was not answered");
            see(new Event.Unanswered(
                    "the front-end closed its connection, or crashed, instead of answering CONFIG_CHANGE with"
                            + " need-reply"
                            + (scene.isRunning() ? "" : ", which came while the device was not started")));
        }
        provoking.ended(scene);
    }

    void see(Event event) {
        account.see(event, scene);
    }

    private void configChanged() {
        if (channel != null) {
            notes.configChanged();
            channel.want();
        }
    }

    private void callForNothing() {
        serving.callForNothing(scene.rings().stream()
                .filter(ring -> scene.role(ring) == Role.DEFLATE)
                .toList());
    }

    void openChannel(Fd fd) {
        if (channel != null) {
            channel.close();
        }
        channel = new OwnChannel(fd, socket.fd(), transcript);
    }

    /** Changes guest memory while no ring has a chain in flight. */
    void changeMemory(Runnable change) {
        List<Ring> running =
                scene.rings().stream().filter(ring -> ring.queue().isPresent()).toList();
        running.forEach(serving::flush);
        running.forEach(ring -> ring.setBase(ring.queue().orElseThrow().position()));
        change.run();
        running.forEach(
                ring -> resume(ring, ring.start(scene.memory(), scene.features().orElse(0))));
    }

    private void resume(Ring ring, Optional<String> unfit) {
        serving.started(ring);
        unfit.ifPresent(why -> see(new Event.RingUnfit(ring, why)));
    }

    /** Serves SET_VRING_KICK: the ring runs from now on, if it can. */
    void start(Ring ring) {
        boolean ran = ring.queue().isPresent();
        if (ran) {
            return;
        }
        Optional<String> unfit = ring.start(scene.memory(), scene.features().orElse(0));
        if (unfit.isPresent()) {
            transcript.say(ring + " can't run: " + unfit.get());
            see(new Event.RingUnfit(ring, unfit.get()));
            return;
        }
        serving.started(ring);
        // The ring begins at position 0: it belongs to another driver, or to the same one after a reset.
        if (ring.index() == 0 && (ring.base().orElse(0) & 0x7fff) == 0) {
            device.driverStarted(scene);
            script.restart();
        }
        notes.started();
        see(new Event.RingStarted(ring));
    }

    /** Serves GET_VRING_BASE. Returns the position. */
    int stop(Ring ring) {
        serving.flush(ring);
        see(new Event.RingStopping(ring));
        notes.stopped();
        return ring.stop();
    }

    /** The driver, or the front-end, resets the device. */
    void reset() {
        for (Ring ring : scene.rings()) {
            if (ring.queue().isPresent()) {
                see(new Event.RingStopping(ring));
                ring.stop();
            }
        }
        device.driverStarted(scene);
        script.restart();
    }

    /** The device has committed a deliberate fault. */
    void provoked(Event.Provoked.Kind kind) {
        provoking.provoked();
        see(new Event.Provoked(kind, System.nanoTime()));
    }

    /** True if the device has completed everything that it does on its own initiative. */
    boolean isScriptDone() {
        return script.isDone() && provoking.isDone(scene);
    }

    /** Remarks for the report. */
    List<String> notes() {
        List<String> all = new ArrayList<>(notes.lines(scene));
        all.addAll(script.unfinished());
        return all;
    }

    @Override
    public void close() {
        if (channel != null) {
            channel.close();
        }
        socket.close();
    }
}
