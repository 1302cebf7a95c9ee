package org.exomem.backend.vm;

import org.exomem.vhostuser.backend.FaultKind;

/** What happened to a VM, for whoever watches the control socket. */
public sealed interface VmEvent {
    /** The VM it happened to. */
    String vm();

    /** The driver reported a new size of its balloon; {@code actual} is the VM's logical size in bytes. */
    record BalloonChange(String vm, long actual) implements VmEvent {}

    record Connected(String vm) implements VmEvent {}

    record Disconnected(String vm, String reason) implements VmEvent {}

    record Fault(String vm, FaultKind kind, String message) implements VmEvent {}
}
