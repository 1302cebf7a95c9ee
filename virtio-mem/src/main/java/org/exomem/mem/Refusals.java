package org.exomem.mem;

import java.util.EnumSet;
import java.util.Set;

/**
 * Reasons for refusing a request. Each is reported to the operator once until the requested size changes. For one thread.
 */
final class Refusals {
    /** Why a request was refused. */
    enum Reason {
        /** MEM-REQ-7. */
        UNKNOWN_TYPE("the request type is unknown", Answer.ERROR),
        /** MEM-REQ-3, also for the two that follow. */
        NO_BLOCKS("it names no block", Answer.ERROR),
        MISALIGNED("its address is not a multiple of the block size", Answer.ERROR),
        NOT_USABLE("it reaches outside of the usable region", Answer.ERROR),
        /** MEM-REQ-4. */
        WRONG_STATE("not all of its blocks are in the required state", Answer.ERROR),
        /** MEM-REQ-5. */
        MORE_THAN_REQUESTED("it would plug more than was requested", Answer.NACK),
        NOT_SHARED("the VMM shares no memory there, or its pages are larger than a block", Answer.BUSY),
        /** MEM-REQ-9. */
        MOVING("the VM is migrating to another host", Answer.BUSY),
        /** MEM-BLK-8. */
        ARRIVING("the memory of the VM is still arriving from another host", Answer.BUSY),
        RESET("the system was reset before it was carried out", Answer.BUSY),
        NO_ROOM("the host can't carry it out", Answer.BUSY);

        private final String text;
        private final Answer answer;

        Reason(String text, Answer answer) {
            this.text = text;
            this.answer = answer;
        }
    }

    private final MemListener listener;
    private final Set<Reason> known = EnumSet.noneOf(Reason.class);

    Refusals(MemListener listener) {
        this.listener = listener;
    }

    /** Notes the refusal of a request; returns the driver's answer. */
    Answer refuse(GuestRequest request, Reason reason) {
        return refuse(request, reason, "");
    }

    Answer refuse(GuestRequest request, Reason reason, String detail) {
        if (reason.answer == Answer.BUSY) {
            listener.busy(detail.isEmpty() ? reason.text : detail);
        }
        boolean news = known.add(reason);
        if (!news && reason != Reason.NO_ROOM) {
            return reason.answer;
        }
        String why = detail.isEmpty() ? reason.text : reason.text + ": " + detail;
        String told = request + " was answered " + reason.answer + ": " + why;
        if (reason == Reason.NO_ROOM) {
            listener.hostFailed(told);
        }
        if (news) {
            listener.refused(told);
        }
        return reason.answer;
    }

    /** Every reason is reported again from now on. */
    void forget() {
        known.clear();
    }
}
