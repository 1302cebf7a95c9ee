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
 * The post-copy migration of one session (vhost-user, "Migration"; VHU-PST): the VM runs here before its memory has arrived,
 * and the front-end brings the requested pages through a userfaultfd. On the VM's event loop.
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
         * @param files what is known of the pages of each shared file
         * @param regions all watched regions, until they are closed
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
     * @param came runs when pages have arrived, or will not arrive as requested: waiting work must be tried again
     * @param failed receives why pages are not available
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

    /**
     * True once post-copy was possible. If it was not, the reason may have been a missing descriptor, or a right that is
     * given later.
     */
    private static volatile boolean wasPossible;

    /** True if this process can support post-copy (VHU-PST-3). */
    static boolean isPossible() {
        boolean possible = wasPossible || LateMapping.isPossible();
        wasPossible = possible;
        return possible;
    }

    /**
     * POSTCOPY_ADVISE. A front-end whose migration failed before it listened sends it again.
     *
     * @throws LinuxException if no userfaultfd can be made
     */
    Reply advise() throws LinuxException {
        if (state instanceof State.Listening) {
            throw new FrontEndFault("POSTCOPY_ADVISE came while a post-copy migration is in progress");
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
     * POSTCOPY_LISTEN: all memory is watched from now on, including regions that are shared later.
     *
     * @param queuesRun true if a queue is started, which may have touched any page
     * @throws LinuxException if a region can't be watched
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
            throw new FrontEndFault(
                    "POSTCOPY_LISTEN came while queues are started: the memory of their rings can't arrive later");
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
            // The front-end has the userfaultfd, which watches nothing: as if it had not listened, but it can't listen
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

    /**
     * Watches a region that is shared while {@link #isListening}; does nothing otherwise.
     *
     * @throws LinuxException if it can't be watched
     */
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

    /** The address of a watched region in the front-end's faults. */
    long address(MemoryRegion region) {
        if (state instanceof State.Listening listening && listening.regions.get(region) instanceof ArrivingRegion at) {
            return at.address();
        }
        throw new IllegalStateException("region " + region + " is not watched");
    }

    /** POSTCOPY_END: all memory has arrived. */
    void end() {
        if (!isListening()) {
            throw new FrontEndFault("POSTCOPY_END came without POSTCOPY_LISTEN");
        }
        close();
    }

    /** Ends all watches. Requests that wait end without their pages, which remain holes. */
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
