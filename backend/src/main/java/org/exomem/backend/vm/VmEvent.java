package org.exomem.backend.vm;

import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.mem.ResizeJob;
import org.exomem.vhostuser.backend.FaultKind;

/**
 * What happened to a VM, for whoever watches the control socket. A device is {@code balloon}, a memory device's id, or empty
 * for the whole VM.
 */
public sealed interface VmEvent {
    /** The VM it happened to. */
    String vm();

    /** The device of the VM. */
    String device();

    /** The driver reported a new size of its balloon; {@code actual} is the VM's logical size in bytes. */
    record BalloonChange(String vm, long actual) implements VmEvent {
        @Override
        public String device() {
            return VmBalloon.NAME;
        }
    }

    /** The driver has plugged or unplugged; {@code plugged} bytes are plugged now. */
    record MemorySizeChange(String vm, String device, long plugged) implements VmEvent {}

    /** A resize job has another status. */
    record JobChange(String vm, String device, ResizeJob.State job) implements VmEvent {}

    /**
     * The guest uses memory that it gave up, or has tried to.
     *
     * @param bytes of it
     * @param blocks in so many blocks
     * @param action what is done about it
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
     * The memory of the VM comes on demand, and that has another status.
     *
     * @param reason why it is so, for people
     */
    record PagerChange(String vm, String status, Optional<String> reason) implements VmEvent {
        @Override
        public String device() {
            return "";
        }
    }

    /**
     * The template has changed, or may, of which the VM is a clone.
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

    /** The front-end of an inherited connection has gone: nobody can come to the device any more. */
    record Abandoned(String vm, String device) implements VmEvent {}

    /** The device is served from now on, {@code attachment} says where. */
    record Added(String vm, String device, String attachment) implements VmEvent {}

    /** The device is served no more. */
    record Removed(String vm, String device) implements VmEvent {}

    record Fault(String vm, String device, FaultKind kind, String message) implements VmEvent {}
}
