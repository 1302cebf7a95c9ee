package org.exomem.vhostuser.virtqueue;

/** The packed ring's device side. */
public abstract non-sealed class PackedVirtqueue extends Virtqueue {}
