package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.mem.Refusals.Reason;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * Checks the driver's requests, lets {@link BlockChanges} carry them out, and answers (VIRTIO, "Memory Device", "Device
 * Operation"). A request that takes more than one step of the event loop stays in hand in between, and is answered when it
 * is carried out (MEM-STEP-1). Used on the VM's event loop.
 */
final class Requests {
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final BlockChanges changes;
    private final MemSizes sizes;
    private final UnpluggedMemory unplugged;
    private final Refusals refusals;
    private final StepBudget budget;
    private final GuestRequest request = new GuestRequest();
    private final DescriptorChain chain = new DescriptorChain();
    /** The answer to a STATE request. */
    private BlockMap.State state = BlockMap.State.PLUGGED;
    /** The request was popped and is not answered. */
    private boolean holding;
    /**
     * Memory that holds the request in hand, or that it concerns, is no longer shared. The request waits until it is
     * (MEM-STEP-4).
     */
    private boolean memoryMissing;

    Requests(
            KeptBlocks kept,
            BlockChanges changes,
            MemSizes sizes,
            UnpluggedMemory unplugged,
            Refusals refusals,
            StepBudget budget) {
        this.plan = kept.plan();
        this.blocks = kept.map();
        this.changes = changes;
        this.sizes = sizes;
        this.unplugged = unplugged;
        this.refusals = refusals;
        this.budget = budget;
    }

    /**
     * Answers the available requests; only some of them if they take long.
     *
     * @return true if a request is in hand that the next call can continue
     * @throws DriverFault if a chain is not a request; the requests before it were answered
     */
    boolean answerSome(Virtqueue queue, GuestMemory memory) {
        if (memoryMissing) {
            // The session processes all queues when memory changes.
            return false;
        }
        while (!budget.isSpent() && (holding || queue.pop(chain))) {
            Answer answer = holding ? goOn(memory) : begin(memory, queue.usedPosition());
            holding = answer == null;
            if (answer == null) {
                return true;
            }
            queue.push(chain, request.respond(chain, memory, answer, state));
        }
        return holding;
    }

    /** Checks a request and begins to carry it out. Returns its answer, or null if it takes longer than this step. */
    private @Nullable Answer begin(GuestMemory memory, int position) {
        request.read(chain);
        budget.spend(StepBudget.REQUEST);
        boolean again = changes.isRepeated(request.type(), repeatedFirst(), repeatedCount(), position);
        changes.expectNoRepetition();
        state = BlockMap.State.PLUGGED;
        Reason reason = switch (request.type()) {
            case PLUG -> plugFault(memory, again);
            case UNPLUG -> unplugFault(memory, again);
            case UNPLUG_ALL -> unplugAllFault(memory, again);
            case STATE -> rangeFault();
            case null -> Reason.UNKNOWN_TYPE;
        };
        RequestType type = request.type();
        if (reason != null || type == null) {
            return refusals.refuse(request, reason == null ? Reason.UNKNOWN_TYPE : reason);
        }
        if (type == RequestType.STATE) {
            state = blocks.state(firstBlock(), request.blocks());
            return Answer.ACK;
        }
        changes.begin(type, type == RequestType.UNPLUG_ALL ? 0 : firstBlock(), request.blocks(), position);
        return goOn(memory);
    }

    private long repeatedFirst() {
        if (request.type() == RequestType.UNPLUG_ALL) {
            return 0;
        }
        boolean aligned = (request.address() & (plan.blockSize() - 1)) == 0;
        return aligned ? firstBlock() : -1;
    }

    private long repeatedCount() {
        return request.type() == RequestType.UNPLUG_ALL ? 0 : request.blocks();
    }

    /** Continues the change in hand. Returns its answer, or null if it takes longer than this step. */
    private @Nullable Answer goOn(GuestMemory memory) {
        if (!changes.isUnderWay()) {
            return refusals.refuse(request, Reason.RESET);
        }
        try {
            if (!changes.goOn(memory, budget)) {
                return null;
            }
        } catch (LinuxException e) {
            return refusals.refuse(request, Reason.NO_ROOM, String.valueOf(e.getMessage()));
        }
        if (request.type() == RequestType.UNPLUG_ALL) {
            sizes.nothingIsPlugged();
            unplugged.allWasEmptied();
        }
        return Answer.ACK;
    }

    private boolean isShared(GuestMemory memory) {
        return changes.covers(memory, firstBlock(), request.blocks());
    }

    /**
     * Guest memory has changed: the request in hand may have another place, or none. A front-end removes memory and shares
     * it again in two messages.
     */
    void memoryChanged(GuestMemory memory) {
        memoryMissing = holding && !(chain.relocate(0, memory) && coversBlocks(memory));
    }

    /** True if the blocks of the request in hand are shared. UNPLUG_ALL leaves blocks alone that are not shared. */
    private boolean coversBlocks(GuestMemory memory) {
        return request.type() == RequestType.UNPLUG_ALL || isShared(memory);
    }

    /**
     * The queue stops. A request in hand is not carried out, and becomes available again. The process that serves the queue
     * next begins it anew (MEM-STEP-2).
     *
     * @param completing true if the queue continues from its position; otherwise its chains are gone
     */
    void stopped(Virtqueue queue, boolean completing) {
        changes.abandon();
        if (holding && completing) {
            queue.unpop(chain);
        }
        holding = false;
        memoryMissing = false;
    }

    private @Nullable Reason plugFault(GuestMemory memory, boolean again) {
        if (again) {
            return faultAgain(memory, RequestType.PLUG);
        }
        Reason reason = changeFault(memory, BlockMap.State.UNPLUGGED);
        if (reason != null) {
            return reason;
        }
        if (request.blocks() > (sizes.requested() - sizes.plugged()) / plan.blockSize()) {
            return Reason.MORE_THAN_REQUESTED;
        }
        return inTransit(memory);
    }

    /** MEM-REQ-9, MEM-BLK-8 */
    private static @Nullable Reason inTransit(GuestMemory memory) {
        if (memory.isArriving()) {
            return Reason.ARRIVING;
        }
        return memory.isLogged() ? Reason.MOVING : null;
    }

    private @Nullable Reason unplugAllFault(GuestMemory memory, boolean again) {
        if (memory.isArriving()) {
            return Reason.ARRIVING;
        }
        return !again && memory.isLogged() && blocks.plugged() > 0 ? Reason.MOVING : null;
    }

    private @Nullable Reason unplugFault(GuestMemory memory, boolean again) {
        if (again) {
            return faultAgain(memory, RequestType.UNPLUG);
        }
        Reason reason = changeFault(memory, BlockMap.State.PLUGGED);
        return reason == null ? inTransit(memory) : reason;
    }

    /** What may be wrong with a repeated request: its rules were checked before, but guest memory may be different. */
    private @Nullable Reason faultAgain(GuestMemory memory, RequestType type) {
        boolean shared = isShared(memory);
        if (shared && !memory.isArriving()) {
            return null;
        }
        changes.giveUp(type, firstBlock(), request.blocks());
        return shared ? Reason.ARRIVING : Reason.NOT_SHARED;
    }

    private @Nullable Reason changeFault(GuestMemory memory, BlockMap.State wanted) {
        Reason reason = rangeFault();
        if (reason != null) {
            return reason;
        }
        if (blocks.state(firstBlock(), request.blocks()) != wanted) {
            return Reason.WRONG_STATE;
        }
        return isShared(memory) ? null : Reason.NOT_SHARED;
    }

    /** What is wrong with the range of blocks in a request, or null. */
    private @Nullable Reason rangeFault() {
        if (request.blocks() == 0) {
            return Reason.NO_BLOCKS;
        }
        long offset = request.address() - plan.address();
        if ((offset & (plan.blockSize() - 1)) != 0) {
            return Reason.MISALIGNED;
        }
        // As an unsigned number, an address below the region is far behind its end.
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
