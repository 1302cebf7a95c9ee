package org.exomem.vhostuser.virtqueue;

/** The split ring's device side. */
public abstract non-sealed class SplitVirtqueue extends Virtqueue {}
