package org.exomem.vhostuser.backend;

import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.exomem.linux.DescriptorReserve;
import org.exomem.linux.LateMapping;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Userfaultfd;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.Reply;

/**
 * The post-copy migration of one session (vhost-user, "Migration"; VHU-PST): the VM runs here before its memory is here, and the
 * front-end brings the pages that are asked for through a userfaultfd.
 *
 * <pre>
 *   OFF -- ADVISE: a userfaultfd goes to the front-end --> ADVISED -- LISTEN: memory is watched --> LISTENING
 *    ^                                                      |   ^                                       |
 *    |                                    ADVISE: a new one +---+                                       |
 *    +--------------------------- END, or the end of the session ---------------------------------------+
 * </pre>
 */
final class PostCopy implements AutoCloseable {
    private sealed interface State {
        record Off() implements State {}

        record Advised(Userfaultfd userfaultfd) implements State {}

        /**
         * @param files what is known of the pages of each file that is shared
         * @param regions all that are watched, until they are closed
         */
        record Listening(
                Userfaultfd userfaultfd,
                PageBringer bringer,
                ArrivingFiles files,
                Map<MemoryRegion, ArrivingRegion> regions)
                implements State {}
    }

    private static final State OFF = new State.Off();

    private final GuestMemory memory;
    private final EventLoop loop;
    private final PageBringer.Outcome outcome;
    private State state = OFF;

    /**
     * @param came is run when pages have come, or will not come as they were asked for: what waits is to be tried again
     * @param failed is told why pages can't be had
     */
    PostCopy(GuestMemory memory, EventLoop loop, Runnable came, Consumer<Throwable> failed) {
        this.memory = memory;
        this.loop = loop;
        this.outcome = new PageBringer.Outcome() {
            @Override
            public void over(boolean pagesCame) {
                came.run();
            }

            @Override
            public void failed(Throwable why) {
                failed.accept(why);
            }
        };
    }

    /** Once it was, it stays so. That it was not may have been for want of a descriptor, or of a right that is given later. */
    private static volatile boolean wasPossible;

    /** True if this process may have what post-copy needs (VHU-PST-3). */
    static boolean isPossible() {
        boolean possible = wasPossible || LateMapping.isPossible();
        wasPossible = possible;
        return possible;
    }

    /** POSTCOPY_ADVISE. A front-end whose migration came to nothing before it listened begins with it anew. */
    Reply advise() throws LinuxException {
        if (state instanceof State.Listening) {
            throw new FrontEndFault("POSTCOPY_ADVISE came while a post-copy migration is under way");
        }
        return DescriptorReserve.ofProcess().lend(() -> {
            Userfaultfd made = Userfaultfd.of(Userfaultfd.makeForTheKernelToo(), LateMapping.FEATURES);
            try {
                Reply answer = Reply.userfaultfd(made.fd().duplicate());
                close();
                state = new State.Advised(made);
                return answer;
            } catch (LinuxException e) {
                made.close();
                throw e;
            }
        });
    }

    /**
     * POSTCOPY_LISTEN: all memory is watched from now on, also what is shared later.
     *
     * @param queuesRun true if a queue is started, which may have touched anything
     */
    void listen(boolean queuesRun) throws LinuxException {
        if (!(state instanceof State.Advised(Userfaultfd userfaultfd))) {
            throw new FrontEndFault(
                    state instanceof State.Listening
                            ? "POSTCOPY_LISTEN came a second time"
                            : "POSTCOPY_LISTEN came without POSTCOPY_ADVISE");
        }
        // VHU-PST-4
        if (queuesRun) {
            throw new FrontEndFault("POSTCOPY_LISTEN came while queues are started: what they lie in can't be late");
        }
        PageBringer bringer = new PageBringer(loop);
        State.Listening listening =
                new State.Listening(userfaultfd, bringer, new ArrivingFiles(), new IdentityHashMap<>());
        state = listening;
        try {
            for (MemoryRegion region : memory.regions()) {
                watch(region);
            }
        } catch (LinuxException | FrontEndFault e) {
            // The front-end has the userfaultfd, and nothing is watched by it: as if it had not listened, but that it
            // can't
            // any more.
            close();
            throw e;
        }
        memory.setArriving(true);
    }

    /** True from POSTCOPY_LISTEN to POSTCOPY_END. */
    boolean isListening() {
        return state instanceof State.Listening;
    }

    /** Watches a region that is shared while {@link #isListening}; does nothing otherwise. */
    void watch(MemoryRegion region) throws LinuxException {
        if (state instanceof State.Listening listening) {
            ArrivingFile file = listening.files.use(region.file());
            Runnable forget = () -> {
                listening.regions.remove(region);
                listening.files.leave(file);
            };
            try {
                ArrivingRegion arriving =
                        ArrivingRegion.of(region, file, listening.userfaultfd, listening.bringer, outcome, forget);
                listening.regions.put(region, arriving);
                region.comesBy(arriving);
            } catch (LinuxException | RuntimeException e) {
                listening.files.leave(file);
                throw e;
            }
        }
    }

    /** Where the front-end sees faults in a region that is watched. */
    long address(MemoryRegion region) {
        if (state instanceof State.Listening listening && listening.regions.get(region) instanceof ArrivingRegion at) {
            return at.address();
        }
        throw new IllegalStateException("region " + region + " is not watched");
    }

    /** POSTCOPY_END: all memory is here. */
    void end() {
        if (!isListening()) {
            throw new FrontEndFault("POSTCOPY_END came without POSTCOPY_LISTEN");
        }
        close();
    }

    /** Watches nothing any more. Whoever waits for a page goes on without it, and what has not come stays a hole. */
    @Override
    public void close() {
        State before = state;
        state = OFF;
        switch (before) {
            case State.Off() -> {}
            case State.Advised(Userfaultfd userfaultfd) -> userfaultfd.close();
            case State.Listening listening -> {
                memory.setArriving(false);
                Map.copyOf(listening.regions).forEach((region, arriving) -> {
                    arriving.close();
                    region.comesBy(null);
                });
                listening.bringer.close();
                listening.userfaultfd.close();
            }
        }
    }
}
