package org.exomem.vhostuser.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PipeEnd;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.Reply;
import org.exomem.vhostuser.protocol.TransferDescription.Direction;
import org.jspecify.annotations.Nullable;

/**
 * The transfers of a device's state in one session, one at a time (vhost-user, "Migrating back-end state"). On the VM's
 * event loop.
 *
 * <pre>
 * none -- SET_DEVICE_STATE_FD --> under way -- end of the bytes, and they are good --> succeeded
 *                                           -- anything else -------------------------> failed
 * CHECK_DEVICE_STATE tells which, once it is known; SET_DEVICE_STATE_FD may come again then.
 * </pre>
 */
final class StateTransfers implements AutoCloseable {
    private final VhostUserDevice device;
    private final EventLoop loop;
    private final EndpointListener listener;
    private @Nullable StateTransfer transfer;
    private @Nullable Direction direction;
    private boolean succeeded;
    private @Nullable Runnable whenOver;

    StateTransfers(VhostUserDevice device, EventLoop loop, EndpointListener listener) {
        this.device = device;
        this.loop = loop;
        this.listener = listener;
    }

    /** True until CHECK_DEVICE_STATE can be answered. */
    boolean isUnderWay() {
        return transfer != null;
    }

    boolean isLoading() {
        return transfer != null && direction == Direction.LOAD;
    }

    /** Runs a task when the transfer under way is over. */
    void whenOver(Runnable task) {
        whenOver = task;
    }

    /**
     * Begins a transfer through the front-end's end of a pipe.
     *
     * @param queuesRun true if a queue is started: the device must be suspended
     * @throws FrontEndFault if it can't begin; the descriptor is still the caller's
     */
    void begin(Direction wanted, Fd channel, boolean queuesRun) throws LinuxException {
        DeviceState state = Objects.requireNonNull(device.state());
        if (transfer == null) {
            // CHECK_DEVICE_STATE concerns the last requested transfer, whether it has begun or not.
            succeeded = false;
        }
        // STA-MOV-2
        if (queuesRun) {
            throw new FrontEndFault("SET_DEVICE_STATE_FD came while queues are started; the device must be stopped");
        }
        if (transfer != null) {
            throw new FrontEndFault("SET_DEVICE_STATE_FD came while a transfer is in progress");
        }
        // STA-MOV-4
        PipeEnd pipe = PipeEnd.adopt(channel);
        if (pipe == null) {
            throw new FrontEndFault("SET_DEVICE_STATE_FD came with a descriptor that is neither a pipe nor a socket: "
                    + channel.description());
        }
        direction = wanted;
        succeeded = false;
        transfer = wanted == Direction.SAVE
                ? save(state, pipe)
                : StateTransfer.read(pipe, StateImage.HEADER + state.maxBytes(), loop, new Loading(state));
    }

    private StateTransfer save(DeviceState state, PipeEnd pipe) {
        Arena arena = Arena.ofConfined();
        try {
            MemorySegment image = StateImage.of(device.deviceId(), state.save(), arena);
            return StateTransfer.write(pipe, arena, image, loop, new Saving());
        } catch (DeviceStateException e) {
            arena.close();
            throw new FrontEndFault("the device's state can't be saved: " + e.getMessage());
        }
    }

    /** The answer to CHECK_DEVICE_STATE: 0 if the last transfer succeeded (STA-MOV-6). */
    Reply check() {
        if (direction == null) {
            throw new FrontEndFault("CHECK_DEVICE_STATE came before any SET_DEVICE_STATE_FD");
        }
        return Reply.u64(succeeded ? 0 : 1);
    }

    private void over(boolean success) {
        transfer = null;
        succeeded = success;
        Runnable task = whenOver;
        whenOver = null;
        if (task != null) {
            task.run();
        }
    }

    private void refuse(String what) {
        listener.fault(FaultKind.FRONT_END, what);
        over(false);
    }

    private final class Saving implements StateTransfer.Outcome {
        @Override
        public void through(MemorySegment bytes) {
            over(true);
        }

        @Override
        public void failed(String reason) {
            refuse("the device's state was not saved: " + reason);
        }
    }

    private final class Loading implements StateTransfer.Outcome {
        private final DeviceState state;

        Loading(DeviceState state) {
            this.state = state;
        }

        @Override
        public void through(MemorySegment bytes) {
            try {
                state.load(StateImage.state(device.deviceId(), bytes));
            } catch (DeviceStateException e) {
                failed(String.valueOf(e.getMessage()));
                return;
            }
            over(true);
        }

        @Override
        public void failed(String reason) {
            refuse("the device's state was not loaded: " + reason + ". The device is unchanged");
        }
    }

    /** Ends a transfer that is under way, without notification. */
    @Override
    public void close() {
        if (transfer != null) {
            transfer.close();
            transfer = null;
        }
    }
}
