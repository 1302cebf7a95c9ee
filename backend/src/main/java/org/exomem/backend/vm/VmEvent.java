package org.exomem.backend.vm;

import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.mem.ResizeJob;
import org.exomem.vhostuser.backend.FaultKind;

/** An event of a VM, for clients of the control socket. */
public sealed interface VmEvent {
    /** The name of the VM. */
    String vm();

    /** {@code balloon}, the id of a memory device, or empty for the whole VM. */
    String device();

    /** The driver reported a new size of its balloon; {@code actual} is the VM's logical size in bytes. */
    record BalloonChange(String vm, long actual) implements VmEvent {
        @Override
        public String device() {
            return VmBalloon.NAME;
        }
    }

    /** The driver has plugged or unplugged blocks; {@code plugged} bytes are plugged now. */
    record MemorySizeChange(String vm, String device, long plugged) implements VmEvent {}

    /** A resize job has another status. */
    record JobChange(String vm, String device, ResizeJob.State job) implements VmEvent {}

    /**
     * The guest uses memory that it gave up, or has tried to.
     *
     * @param bytes of that memory
     * @param blocks the number of blocks that have these bytes
     * @param action the action that is taken
     * @param address guest address of the first touch, where touches are seen
     */
    record GuestViolation(String vm, String device, long bytes, long blocks, String action, OptionalLong address)
            implements VmEvent {}

    /** A migration of the VM has another status. */
    record MigrationChange(String vm, String status) implements VmEvent {
        @Override
        public String device() {
            return "";
        }
    }

    /**
     * The VM's memory comes on demand, and the status of that has changed.
     *
     * @param reason the reason of the status, for people
     */
    record PagerChange(String vm, String status, Optional<String> reason) implements VmEvent {
        @Override
        public String device() {
            return "";
        }
    }

    /**
     * The template of which the VM is a clone has changed, or may have.
     *
     * @param reason what has changed, for people
     */
    record TemplateChange(String vm, String template, String reason) implements VmEvent {
        @Override
        public String device() {
            return "";
        }
    }

    record Connected(String vm, String device) implements VmEvent {}

    record Disconnected(String vm, String device, String reason) implements VmEvent {}

    /** The front-end of an inherited connection has gone. No front-end can connect to the device any more. */
    record Abandoned(String vm, String device) implements VmEvent {}

    /** The device is served from now on. {@code attachment} says where. */
    record Added(String vm, String device, String attachment) implements VmEvent {}

    /** The device is no longer served. */
    record Removed(String vm, String device) implements VmEvent {}

    record Fault(String vm, String device, FaultKind kind, String message) implements VmEvent {}
}
