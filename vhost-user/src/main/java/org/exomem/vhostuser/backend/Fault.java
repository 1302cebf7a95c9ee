package org.exomem.vhostuser.backend;

import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.virtqueue.DriverFault;

/**
 * The faults that can occur while a front-end is served, with their causer and consequence. Only this class converts
 * exceptions to faults.
 * <table>
 * <caption>Faults and what follows</caption>
 * <tr><th>fault</th><th>while a ring is processed</th><th>while a request is carried out</th></tr>
 * <tr><td>{@link OfDriver}</td><td colspan="2">the queue stops until it is started again; the connection stays
 * (VHU-RING-14)</td></tr>
 * <tr><td>{@link OfFrontEnd}</td><td>the connection ends</td><td>an error reply where there is one, otherwise the connection
 * ends (VHU-HDR-7)</td></tr>
 * <tr><td>{@link OfHost}</td><td>the connection ends; a device that can go on without reports it itself ({@link
 * DeviceLink#hostFault})</td><td>as for the front-end's</td></tr>
 * <tr><td>{@link MemoryGone}</td><td colspan="2">the connection ends (VHU-MEM-10)</td></tr>
 * <tr><td>{@link PeerGone}</td><td colspan="2">the connection ends, and nobody is to blame</td></tr>
 * <tr><td>{@link OfOurs}</td><td colspan="2">the connection ends; the stack trace is logged</td></tr>
 * </table>
 *
 * <p>No fault affects other VMs, or later connections of this one.
 */
sealed interface Fault {
    /** The causer, for the operator. */
    FaultKind kind();

    /** What happened, and to what, in one sentence for the operator. */
    String what();

    /** True if a failed request may be refused by a reply; false if the connection must end. */
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

    /** A mapped page does not exist any more: the JVM converts SIGBUS under a mapping to InternalError. */
    record MemoryGone() implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.FRONT_END;
        }

        @Override
        public String what() {
            return "guest memory is inaccessible: a file that backs it (or the dirty log, or in-flight memory) was"
                    + " truncated, or the host has no free huge page for it";
        }
    }

    /** The front-end closed its end during a send or read. */
    record PeerGone() implements Fault {
        @Override
        public FaultKind kind() {
            return FaultKind.FRONT_END;
        }

        @Override
        public String what() {
            return "the VMM disconnected";
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
            return "internal error of exomem: " + cause;
        }
    }

    /** Classifies an exception. */
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
