package org.exomem.vhostuser.backend;

/** The causer of a fault. */
public enum FaultKind {
    /** The guest's driver broke a rule of VIRTIO. The message says whether its queue has stopped or goes on. */
    DRIVER,
    /** The front-end broke a rule of vhost-user: it got an error reply, or the connection was closed. */
    FRONT_END,
    /** The host refused something (memory, disk, descriptors). The device goes on without it. */
    HOST
}
