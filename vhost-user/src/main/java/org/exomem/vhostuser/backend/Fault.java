package org.exomem.vhostuser.backend;

import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.virtqueue.DriverFault;

/**
 * What can go wrong while a front-end is served, whose fault it is, and what follows from it. This is the only place where
 * an exception becomes one of these.
 *
 * <table>
 * <caption>Faults and what follows</caption>
 * <tr><th>fault</th><th>while a ring is processed</th><th>while a request is carried out</th></tr>
 * <tr><td>{@link OfDriver}</td><td colspan="2">the queue stops until it is started again; the connection stays
 *     (VHU-RING-14)</td></tr>
 * <tr><td>{@link OfFrontEnd}</td><td>the connection ends</td><td>an error reply where there is one, otherwise the
 *     connection ends (VHU-HDR-7)</td></tr>
 * <tr><td>{@link OfHost}</td><td>the connection ends; a device that can go on without reports it itself
 *     ({@link DeviceLink#hostFault})</td><td>as for the front-end's</td></tr>
 * <tr><td>{@link MemoryGone}</td><td colspan="2">the connection ends (VHU-MEM-10)</td></tr>
 * <tr><td>{@link PeerGone}</td><td colspan="2">the connection ends, and nobody is to blame</td></tr>
 * <tr><td>{@link OfOurs}</td><td colspan="2">the connection ends; the stack trace is logged</td></tr>
 * </table>
 *
 * Other VMs, and later connections of this one, notice none of them.
 */
sealed interface Fault {
    /** Whose fault it is, for the operator. */
    FaultKind kind();

    /** What happened and to what, in one sentence for the operator. */
    String what();

    /** True if a request that failed so may be refused by a reply; false if the connection must end. */
    default boolean isRefusable() {
        return false;
    }

    /** The guest's driver broke a rule of VIRTIO. */
    record OfDriver(DriverFault cause) implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.DRIVER;
        }

        @Override
        public String what() {
            return String.valueOf(cause.getMessage());
        }
    }

    /** The front-end broke a rule of vhost-user. */
    record OfFrontEnd(FrontEndFault cause) implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.FRONT_END;
        }

        @Override
        public String what() {
            return String.valueOf(cause.getMessage());
        }

        @Override
        public boolean isRefusable() {
            return true;
        }
    }

    /** The host refused a system call. */
    record OfHost(LinuxException cause) implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.HOST;
        }

        @Override
        public String what() {
            return cause.getMessage();
        }

        @Override
        public boolean isRefusable() {
            return true;
        }
    }

    /** A page that is mapped is there no more: InternalError is the JVM's word for SIGBUS under a mapping. */
    record MemoryGone() implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.FRONT_END;
        }

        @Override
        public String what() {
            return "guest memory is gone: a file that backs it (or the dirty log, or in-flight memory) was truncated,"
                    + " or the host has no huge page left for it";
        }
    }

    /** The front-end closed its end while something was sent to it or read from it. */
    record PeerGone() implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.FRONT_END;
        }

        @Override
        public String what() {
            return "the front-end has gone";
        }
    }

    /** A defect of exomem. */
    record OfOurs(Throwable cause) implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.HOST;
        }

        @Override
        public String what() {
            return "a fault of exomem itself: " + cause;
        }
    }

    /** Finds out what an exception means. */
    static Fault of(Throwable thrown) {
        return switch (thrown) {
            case DriverFault e -> new OfDriver(e);
            case FrontEndFault e -> new OfFrontEnd(e);
            case LinuxException e when e.errno() == Errno.ECONNRESET || e.errno() == Errno.EPIPE -> new PeerGone();
            case LinuxException e -> new OfHost(e);
            case InternalError _ -> new MemoryGone();
            default -> new OfOurs(thrown);
        };
    }
}
