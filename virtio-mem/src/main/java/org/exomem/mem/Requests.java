package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.mem.Refusals.Reason;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/** Checks the driver's requests, has them carried out, and answers (VIRTIO, "Memory Device", "Device Operation"). */
final class Requests {
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final BlockChanges changes;
    private final MemSizes sizes;
    private final UnpluggedMemory unplugged;
    private final Refusals refusals;
    private final GuestRequest request = new GuestRequest();
    private final DescriptorChain chain = new DescriptorChain();

    Requests(KeptBlocks kept, BlockChanges changes, MemSizes sizes, UnpluggedMemory unplugged, Refusals refusals) {
        this.plan = kept.plan();
        this.blocks = kept.map();
        this.changes = changes;
        this.sizes = sizes;
        this.unplugged = unplugged;
        this.refusals = refusals;
    }

    /** Answers all requests that are available. */
    void answerAll(Virtqueue queue, GuestMemory memory) {
        while (queue.pop(chain)) {
            answer(queue, memory);
        }
    }

    private void answer(Virtqueue queue, GuestMemory memory) {
        request.read(chain);
        boolean again = comesAgain(queue.usedPosition());
        BlockMap.State state = BlockMap.State.PLUGGED;
        Answer answer;
        if (request.type() == GuestRequest.STATE) {
            Reason reason = rangeFault();
            answer = reason == null ? Answer.ACK : refusals.refuse(request, reason);
            state = reason == null ? blocks.state(firstBlock(), request.blocks()) : state;
        } else {
            answer = change(memory, again);
        }
        queue.push(chain, request.respond(chain, memory, answer, state));
    }

    private boolean comesAgain(int position) {
        if (request.type() == GuestRequest.UNPLUG_ALL) {
            return changes.comesAgain(GuestRequest.UNPLUG_ALL, 0, 0, position);
        }
        boolean aligned = (request.address() & plan.blockSize() - 1) == 0;
        return changes.comesAgain(request.type(), aligned ? firstBlock() : -1, request.blocks(), position);
    }

    private Answer change(GuestMemory memory, boolean again) {
        try {
            return switch (request.type()) {
                case GuestRequest.PLUG -> plug(memory, again);
                case GuestRequest.UNPLUG -> unplug(memory, again);
                case GuestRequest.UNPLUG_ALL -> unplugAll(memory, again);
                default -> refusals.refuse(request, Reason.UNKNOWN_TYPE);
            };
        } catch (LinuxException e) {
            return refusals.refuse(request, Reason.NO_ROOM, String.valueOf(e.getMessage()));
        }
    }

    private Answer plug(GuestMemory memory, boolean again) throws LinuxException {
        Reason reason = again ? faultAgain(memory) : changeFault(memory, BlockMap.State.UNPLUGGED);
        if (reason != null) {
            return refusals.refuse(request, reason);
        }
        if (!again && request.blocks() > (sizes.requested() - sizes.plugged()) / plan.blockSize()) {
            return refusals.refuse(request, Reason.MORE_THAN_REQUESTED);
        }
        if (!again && memory.isLogged()) {
            return refusals.refuse(request, Reason.MOVING);
        }
        changes.plug(memory, firstBlock(), request.blocks());
        return Answer.ACK;
    }

    private Answer unplug(GuestMemory memory, boolean again) throws LinuxException {
        Reason reason = again ? faultAgain(memory) : changeFault(memory, BlockMap.State.PLUGGED);
        if (reason != null) {
            return refusals.refuse(request, reason);
        }
        if (!again && memory.isLogged()) {
            return refusals.refuse(request, Reason.MOVING);
        }
        changes.unplug(memory, firstBlock(), request.blocks());
        return Answer.ACK;
    }

    private Answer unplugAll(GuestMemory memory, boolean again) throws LinuxException {
        if (!again && memory.isLogged() && blocks.plugged() > 0) {
            return refusals.refuse(request, Reason.MOVING);
        }
        changes.unplugAll(memory);
        sizes.nothingIsPlugged();
        unplugged.allWasEmptied();
        return Answer.ACK;
    }

    /** What may be wrong with a request that comes again: its rules were checked, but guest memory may be another. */
    private @Nullable Reason faultAgain(GuestMemory memory) {
        if (changes.covers(memory, firstBlock(), request.blocks())) {
            return null;
        }
        changes.giveUp(request.type(), firstBlock(), request.blocks());
        return Reason.NOT_SHARED;
    }

    private @Nullable Reason changeFault(GuestMemory memory, BlockMap.State wanted) {
        Reason reason = rangeFault();
        if (reason != null) {
            return reason;
        }
        if (blocks.state(firstBlock(), request.blocks()) != wanted) {
            return Reason.WRONG_STATE;
        }
        return changes.covers(memory, firstBlock(), request.blocks()) ? null : Reason.NOT_SHARED;
    }

    /** What is wrong with the range of blocks that a request names, or null. */
    private @Nullable Reason rangeFault() {
        if (request.blocks() == 0) {
            return Reason.NO_BLOCKS;
        }
        long offset = request.address() - plan.address();
        if ((offset & (plan.blockSize() - 1)) != 0) {
            return Reason.MISALIGNED;
        }
        // As unsigned numbers, an address below the region is far behind its end.
        long usable = sizes.usable() / plan.blockSize();
        if (Long.compareUnsigned(offset, sizes.usable()) >= 0
                || request.blocks() > usable - offset / plan.blockSize()) {
            return Reason.NOT_USABLE;
        }
        return null;
    }

    private long firstBlock() {
        return (request.address() - plan.address()) / plan.blockSize();
    }
}
