package org.exomem.conform.broken;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PipeEnd;

/** Faults of post-copy: descriptors, answers, and the use of memory before and after them. */
final class PostcopyMutations {
    /** An answer with regions is longer than a number. */
    private static final int NUMBER = 8;
    /** The address of the first region in either answer. */
    private static final int ADDRESS = 24;

    static final List<Mutation> ALL = List.of(
            of(
                    "vhost.answer.28",
                    "POSTCOPY_ADVISE is answered without a descriptor",
                    () -> new Broken().answering(Request.POSTCOPY_ADVISE, Message::withoutFds)),
            of(
                    "vhost.postcopy.10",
                    "POSTCOPY_ADVISE brings an eventfd",
                    () -> new Broken().answering(Request.POSTCOPY_ADVISE, Fds::withDeafEvent)),
            of("vhost.postcopy.4", "SET_MEM_TABLE in post-copy is not answered", () -> silent(Request.SET_MEM_TABLE)),
            of(
                    "vhost.answer.5",
                    "SET_MEM_TABLE in post-copy is answered with a number",
                    () -> new Broken()
                            .answering(
                                    Request.SET_MEM_TABLE, regions(answer -> answer.withPayload(Payload.number(0))))),
            of(
                    "vhost.payload.13",
                    "the table in the answer to SET_MEM_TABLE has no region",
                    () -> new Broken().answering(Request.SET_MEM_TABLE, regions(answer -> answer.withInt(0, 0)))),
            of("vhost.postcopy.5", "memory is touched before SET_MEM_TABLE is answered", PostcopyMutations::hasty),
            of("vhost.postcopy.6", "memory is touched before its address is acknowledged", PostcopyMutations::hasty),
            of("vhost.postcopy.8", "memory is used before its address is acknowledged", PostcopyMutations::hasty),
            of(
                    "vhost.answer.37",
                    "the region in the answer to ADD_MEM_REG has no address",
                    () -> new Broken().answering(Request.ADD_MEM_REG, regions(answer -> answer.withLong(ADDRESS, 0)))),
            of("vhost.postcopy.16", "ADD_MEM_REG in post-copy is not answered", () -> silent(Request.ADD_MEM_REG)),
            of(
                    "vhost.postcopy.11",
                    "the address that is told is of memory that is not watched",
                    () -> new Broken()
                            .answering(Request.SET_MEM_TABLE, regions(answer -> answer.withLong(ADDRESS, 1L << 20)))),
            of(
                    "vhost.answer.30",
                    "POSTCOPY_END is answered without a number",
                    () -> new Broken().answering(Request.POSTCOPY_END, answer -> answer.withPayload(Payload.none()))),
            of(
                    "vhost.postcopy.15",
                    "POSTCOPY_END is answered with an error",
                    () -> new Broken().refusing(Request.POSTCOPY_END)),
            of(
                    "vhost.postcopy.14",
                    "memory is watched after POSTCOPY_END",
                    () -> new Broken()
                            .answeringItself(
                                    Request.POSTCOPY_END,
                                    unused -> Message.reply(Request.POSTCOPY_END, Payload.number(0)))));

    private PostcopyMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    private static UnaryOperator<Message> regions(UnaryOperator<Message> change) {
        return answer -> answer.payload().length > NUMBER ? change.apply(answer) : answer;
    }

    private static Broken silent(int request) {
        return new Broken()
                .onReply(request, (answer, line) -> answer.payload().length > NUMBER ? List.of() : List.of(answer));
    }

    private static Broken hasty() {
        return new Broken().answering(Request.SET_MEM_TABLE, regions(answer -> {
            touch(answer.longAt(ADDRESS));
            return answer;
        }));
    }

    /**
     * Makes the kernel read at the address, in a thread that waits in a system call until there is a page, or the
     * mapping is gone.
     */
    private static void touch(long address) {
        Thread.ofPlatform().daemon().name("hasty back-end").start(() -> {
            try {
                PipeEnd.Pipe pipe = PipeEnd.pipe();
                try (Fd unread = pipe.readEnd();
                        PipeEnd written = PipeEnd.adopt(pipe.writeEnd())) {
                    if (written != null && unread.isOpen()) {
                        written.write(MemorySegment.ofAddress(address).reinterpret(1));
                    }
                }
            } catch (LinuxException e) {
                // The mapping is gone.
            }
        });
    }
}
