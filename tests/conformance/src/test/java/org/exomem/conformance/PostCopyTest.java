package org.exomem.conformance;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.LateMemory;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.Fd;
import org.exomem.linux.LateMapping;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Post-copy as a front-end drives it: pages of guest memory arrive on request (spec/vhost-user.md, VHU-PST). */
class PostCopyTest {
    private static final long MIB = 1 << 20;
    private static final long MEMORY_LIMIT = 1L << 40;
    private static final int RING_SIZE = 128;
    private static final int CHAINS = 40;
    private static final Duration LIMIT = EchoBackEnd.LIMIT;
    /** The time within which an unwanted page would arrive. A busy machine only makes the test weaker. */
    private static final Duration QUIET = Duration.ofMillis(200);

    private static final Duration LONGEST_ECHO = Duration.ofSeconds(2);

    @TempDir
    Path folder;

    private EchoBackEnd backEnd;
    private final List<ArrivingGuest> guests = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        assumeTrue(LateMapping.isPossible(), "this host lets nobody have such a userfaultfd");
        backEnd = new EchoBackEnd(folder.resolve("s"), MEMORY_LIMIT);
    }

    @AfterEach
    void end() {
        guests.forEach(ArrivingGuest::close);
        if (backEnd != null) {
            backEnd.close();
        }
    }

    private ArrivingGuest guest(long features) throws Exception {
        ArrivingGuest guest = new ArrivingGuest(backEnd.connect(), GuestRam.withPciHole(4 * MIB, 4 * MIB), features);
        guests.add(guest);
        return guest;
    }

    /** A chain to be echoed, on pages of its own. */
    private record Echo(int id, long request, long response, byte[] text) {}

    private static List<Echo> fill(ArrivingGuest guest, RingDriver ring, Random random, int chains) {
        GuestRam ram = guest.ram;
        List<Long> places = new ArrayList<>(LongStream.range(0, 2L * chains + 2)
                .mapToObj(page -> ram.firstFreePage() + page * 2 * GuestRam.PAGE)
                .toList());
        Collections.shuffle(places, random);
        ram.allocate(places.size() * 2 * GuestRam.PAGE + GuestRam.PAGE, 1);
        List<Echo> echoes = new ArrayList<>();
        for (int i = 0; i < chains; i++) {
            byte[] text = new byte[1 + random.nextInt(6000)];
            random.nextBytes(text);
            // Not at the start of a page, so that most cross into the next one.
            long request = places.get(2 * i) + random.nextInt(2000);
            long response = places.get(2 * i + 1) + random.nextInt(2000);
            for (int at = 0; at < text.length; at++) {
                ram.putByte(request + at, text[at]);
            }
            List<Buffer> chain = List.of(Buffer.readable(request, text.length), Buffer.writable(response, text.length));
            boolean indirect = (guest.features & Features.INDIRECT_DESC) != 0 && random.nextBoolean();
            echoes.add(new Echo(indirect ? ring.addIndirect(chain) : ring.add(chain), request, response, text));
        }
        return echoes;
    }

    private void awaitEchoed(int chains) {
        await().atMost(LIMIT).until(() -> backEnd.device.echoed >= chains);
    }

    private static void assertEchoed(ArrivingGuest guest, RingDriver ring, List<Echo> echoes) {
        for (Echo echo : echoes) {
            Used used = ring.poll();
            assertThat(used).isEqualTo(new Used(echo.id, echo.text.length));
            assertThat(guest.ram.bytes(echo.response, echo.text.length).toArray(JAVA_BYTE))
                    .isEqualTo(echo.text);
        }
    }

    static List<Arguments> ringsAndSeeds() {
        List<Arguments> all = new ArrayList<>();
        for (long seed = 1; seed <= 4; seed++) {
            all.add(Arguments.of("split", EchoGuest.SPLIT, seed));
            all.add(Arguments.of("packed", EchoGuest.PACKED, seed));
        }
        return all;
    }

    @ParameterizedTest(name = "{0}, seed {2}")
    @MethodSource("ringsAndSeeds")
    @Tag("VHU-PST-1")
    @Tag("VHU-PST-2")
    @Tag("VHU-PST-7")
    void aDeviceGoesOnThoughEachPageComesLateAndInAnyOrder(String kind, long features, long seed) throws Exception {
        Random random = new Random(seed);
        ArrivingGuest guest = guest(features);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, random, CHAINS);
        LateMemory memory = guest.leave();
        guest.listen();
        boolean alsoUnasked = random.nextBoolean();
        memory.start(seed, alsoUnasked);
        guest.start(ring);
        awaitEchoed(CHAINS);
        int asked = memory.askedPages();
        guest.arrive();
        assertEchoed(guest, ring, echoes);
        // On a busy machine all pages may have arrived unrequested.
        assertThat(asked > 0 || alsoUnasked).as("pages were asked for").isTrue();
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    @Tag("VHU-PST-3")
    void aUserfaultfdIsTheAnswerToAdvise() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        Reply reply = guest.leave().advise(guest.frontEnd);
        assertThat(reply.request()).isEqualTo(Request.POSTCOPY_ADVISE);
        assertThat(reply.payload()).isEmpty();
        assertThat(reply.fds()).hasSize(1);
        assertThat(reply.fds().getFirst().description()).contains("userfaultfd");
    }

    @Test
    @Tag("VHU-PST-3")
    void whoeverAdvisesASecondTimeBeginsAnew() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 3);
        LateMemory memory = guest.leave();
        memory.advise(guest.frontEnd);
        guest.listen();
        memory.start(1, true);
        guest.start(ring);
        awaitEchoed(3);
        // But not in the middle.
        Reply refusal = memory.advise(guest.frontEnd);
        assertThat(refusal.fds()).isEmpty();
        backEnd.awaitFault(FaultKind.FRONT_END, "while a post-copy migration is in progress");
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    @Test
    @Tag("VHU-PST-4")
    void listeningWithoutAnUserfaultfdIsRefused() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        LateMemory memory = guest.leave();
        assertThatThrownBy(() -> memory.listen(guest.frontEnd)).isInstanceOf(RequestRefusedException.class);
        memory.advise(guest.frontEnd);
        memory.listen(guest.frontEnd);
        assertThatThrownBy(() -> memory.listen(guest.frontEnd)).isInstanceOf(RequestRefusedException.class);
        backEnd.awaitFault(FaultKind.FRONT_END, "POSTCOPY_LISTEN came without POSTCOPY_ADVISE");
        backEnd.awaitFault(FaultKind.FRONT_END, "POSTCOPY_LISTEN came a second time");
    }

    @Test
    @Tag("VHU-PST-4")
    void listeningWhileAQueueRunsIsRefusedAndItGoesOn() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 3);
        guest.frontEnd.setMemTable(
                guest.ram.regions(),
                guest.ram.regions().stream()
                        .map(region -> guest.ram.file().fd())
                        .toList());
        guest.start(ring);
        awaitEchoed(3);
        Reply reply = guest.frontEnd.ask(Request.POSTCOPY_ADVISE, Payload.none());
        assertThat(reply.request()).isEqualTo(Request.POSTCOPY_ADVISE);
        assertThatThrownBy(() -> guest.frontEnd.command(Request.POSTCOPY_LISTEN, Payload.none()))
                .isInstanceOf(RequestRefusedException.class);
        assertEchoed(guest, ring, echoes);
        List<Echo> more = fill(guest, ring, new Random(2), 3);
        ring.kick();
        awaitEchoed(6);
        assertEchoed(guest, ring, more);
    }

    @Test
    @Tag("VHU-PST-8")
    void theEndOfWhatDidNotBeginIsAnErrorAndTheConnectionStays() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        LateMemory memory = guest.leave();
        assertThat(memory.end(guest.frontEnd)).isNotZero();
        memory.advise(guest.frontEnd);
        assertThat(memory.end(guest.frontEnd)).isNotZero();
        memory.listen(guest.frontEnd);
        memory.share(guest.frontEnd);
        assertThat(memory.end(guest.frontEnd)).isZero();
        assertThat(memory.end(guest.frontEnd)).isNotZero();
    }

    @Test
    @Tag("VHU-PST-8")
    void anotherMigrationCanFollow() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        for (int round = 1; round <= 2; round++) {
            List<Echo> echoes = fill(guest, ring, new Random(round), CHAINS);
            int base = guest.frontEnd.getVringBase(0);
            try (LateMemory memory = guest.leave()) {
                guest.listen();
                memory.start(round, true);
                guest.start(ring, base);
                awaitEchoed(round * CHAINS);
                guest.arrive();
            }
            assertEchoed(guest, ring, echoes);
        }
        // Without a userfaultfd no page is late.
        List<Echo> echoes = fill(guest, ring, new Random(3), CHAINS);
        ring.kick();
        awaitEchoed(3 * CHAINS);
        assertEchoed(guest, ring, echoes);
        awaitNoHelper();
    }

    @Test
    @Tag("VHU-PST-5")
    void noPageIsAskedForBeforeTheFrontEndKnowsWhereItIs() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 3);
        LateMemory memory = guest.leave();
        memory.advise(guest.frontEnd);
        memory.listen(guest.frontEnd);
        memory.share(guest.frontEnd);
        guest.start(ring);
        await().atMost(LIMIT).until(() -> memory.lookForFaults() > 0);
        int asked = memory.askedPages();
        // A second table, while the ring waits for its first page.
        memory.announce(guest.frontEnd, guest.ram.regions());
        await().during(QUIET).atMost(LIMIT).until(() -> memory.lookForFaults() == asked);
        memory.acknowledge(guest.frontEnd);
        memory.start(1, true);
        awaitEchoed(3);
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    @Test
    @Tag("VHU-PST-5")
    void whatIsNoAcknowledgementIsRefused() throws Exception {
        byte[][] wrong = {Payload.number(1), Payload.none(), new byte[16]};
        for (byte[] payload : wrong) {
            ArrivingGuest guest = guest(EchoGuest.SPLIT);
            LateMemory memory = guest.leave();
            memory.advise(guest.frontEnd);
            memory.listen(guest.frontEnd);
            memory.announce(guest.frontEnd, guest.ram.regions());
            guest.frontEnd.send(Request.SET_MEM_TABLE, Connection.VERSION, payload, List.of());
            assertThat(guest.frontEnd.connection().awaitClosed()).isTrue();
            backEnd.awaitDisconnected();
        }
    }

    @Test
    @Tag("VHU-PST-5")
    void nothingElseMayComeBeforeTheAcknowledgement() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        LateMemory memory = guest.leave();
        memory.advise(guest.frontEnd);
        memory.listen(guest.frontEnd);
        memory.announce(guest.frontEnd, guest.ram.regions());
        assertThatThrownBy(() -> guest.frontEnd.setVringNum(0, RING_SIZE)).isInstanceOf(RequestRefusedException.class);
        memory.acknowledge(guest.frontEnd);
        guest.frontEnd.setVringNum(0, RING_SIZE);
    }

    @Test
    @Tag("VHU-PST-5")
    void regionsThatAreAddedAreAcknowledgedTogether() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), CHAINS);
        LateMemory memory = guest.leave();
        memory.advise(guest.frontEnd);
        memory.listen(guest.frontEnd);
        for (Region region : guest.ram.regions()) {
            memory.announceMore(guest.frontEnd, region);
        }
        guest.frontEnd.send(Request.ADD_MEM_REG, Connection.VERSION, Payload.number(0), List.of());
        memory.start(7, false);
        guest.start(ring);
        awaitEchoed(CHAINS);
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    @Test
    @Tag("VHU-PST-5")
    void aTableBetweenAdviceAndListeningIsAnsweredAsEverAndItsMemoryIsWatched() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 5);
        LateMemory memory = guest.leave();
        memory.advise(guest.frontEnd);
        List<Fd> files = guest.ram.regions().stream()
                .map(region -> guest.ram.file().fd())
                .toList();
        // Fails unless the answer is a number.
        guest.frontEnd.setMemTable(guest.ram.regions(), files);
        assertThatThrownBy(() -> guest.frontEnd.command(Request.SET_MEM_TABLE, Payload.number(0)))
                .as("an acknowledgement of nothing")
                .isInstanceOf(RequestRefusedException.class);
        memory.listen(guest.frontEnd);
        memory.share(guest.frontEnd);
        memory.start(3, false);
        guest.start(ring);
        awaitEchoed(5);
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    @Test
    @Tag("VHU-PST-6")
    void memoryThatIsSharedAnewKeepsItsPagesAndTheQueueGoesOn() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        RingDriver holding = guest.addRing(EchoDevice.HOLDING, RING_SIZE);
        List<Echo> first = fill(guest, ring, new Random(1), 5);
        List<Echo> held = fill(guest, holding, new Random(3), 5);
        List<Echo> second = fill(guest, ring, new Random(2), 5);
        LateMemory memory = guest.leave();
        memory.withhold(second.getFirst().request);
        guest.listen();
        memory.start(1, false);
        guest.start(holding);
        await().atMost(LIMIT).until(() -> backEnd.device.heldChains == 5);
        guest.start(ring);
        awaitEchoed(5);
        await().atMost(LIMIT).until(() -> memory.wasAsked(second.getFirst().request));
        memory.share(guest.frontEnd);
        // Held chains are at addresses whose pages arrived before.
        backEnd.runOnLoop(backEnd.device::release);
        memory.release(second.getFirst().request);
        awaitEchoed(10);
        guest.arrive();
        assertEchoed(guest, ring, first);
        assertEchoed(guest, ring, second);
        assertEchoed(guest, holding, held);
    }

    @Test
    @Tag("VHU-PST-1")
    @Tag("VHU-PST-7")
    void aPageThatIsNeverGivenStopsItsQueueOnlyAndNoOtherVmOfTheSameLoop() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 5);
        LateMemory memory = guest.leave();
        memory.withhold(echoes.get(2).response);
        guest.listen();
        memory.start(1, false);
        guest.start(ring);
        awaitEchoed(2);
        await().atMost(LIMIT).until(() -> memory.wasAsked(echoes.get(2).response));
        Path other = folder.resolve("other");
        EchoDevice neighbour = new EchoDevice();
        try (Endpoint endpoint = Endpoint.listen(other, neighbour, backEnd.loop, backEnd);
                EchoGuest running =
                        EchoGuest.start(FrontEnd.connect(other), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
            assertThat(endpoint.isConnected()).isTrue();
            long longest = 0;
            for (int i = 0; i < 200; i++) {
                ring.kickFd().signal();
                long start = System.nanoTime();
                running.assertEcho();
                longest = Math.max(longest, System.nanoTime() - start);
                if (i % 50 == 0) {
                    // A thread that waits outside of a system call would block the garbage collector for ever.
                    System.gc();
                }
            }
            assertThat(Duration.ofNanos(longest)).isLessThan(LONGEST_ECHO);
        }
        assertThat(backEnd.device.echoed).isEqualTo(2);
        assertThat(guest.frontEnd.getVringBase(0))
                .as("the chain that waits was not taken")
                .isEqualTo(2);
        memory.release(echoes.get(2).response);
        guest.start(ring, 2);
        awaitEchoed(5);
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    @Test
    @Tag("VHU-PST-6")
    void regionsThatComeAndGoWhileAPageDoesNotComeLeaveNothingMapped() throws Exception {
        long size = 64L << 30;
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 5);
        LateMemory memory = guest.leave();
        memory.withhold(echoes.get(2).response);
        guest.listen();
        memory.start(1, false);
        guest.start(ring);
        awaitEchoed(2);
        await().atMost(LIMIT).until(() -> memory.wasAsked(echoes.get(2).response));
        long before = mappedBytes();
        for (int i = 0; i < 20; i++) {
            try (SharedFile sparse = SharedFile.memfd("sparse", size)) {
                Region region = new Region(1L << 40, size, 1L << 45, 0);
                memory.announceMore(guest.frontEnd, region, sparse.fd());
                memory.acknowledge(guest.frontEnd);
                guest.frontEnd.removeMemoryRegion(region);
            }
        }
        assertThat(mappedBytes() - before).isLessThan(4 * size);
        memory.release(echoes.get(2).response);
        awaitEchoed(5);
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    private static long mappedBytes() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmSize:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                .sum();
    }

    @Test
    @Tag("VHU-PST-7")
    void aRingWhosePagesDoNotComeIsStartedForTheFrontEndAndCanBeStopped() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 5);
        LateMemory memory = guest.leave();
        guest.listen();
        guest.start(ring);
        assertThatThrownBy(() -> guest.frontEnd.setVringNum(0, 64)).isInstanceOf(RequestRefusedException.class);
        assertThat(backEnd.device.calls).doesNotContain("started 0");
        assertThat(guest.frontEnd.getVringBase(0)).isZero();
        memory.start(1, true);
        guest.start(ring);
        awaitEchoed(5);
        guest.frontEnd.resetDevice();
        guest.arrive();
        assertEchoed(guest, ring, echoes);
    }

    @Test
    @Tag("VHU-PST-8")
    void aFrontEndThatDiesInTheMiddleLeavesNothingBehind() throws Exception {
        for (int round = 1; round <= 3; round++) {
            ArrivingGuest guest = guest(EchoGuest.SPLIT);
            RingDriver ring = guest.addRing(0, RING_SIZE);
            List<Echo> echoes = fill(guest, ring, new Random(round), 5);
            LateMemory memory = guest.leave();
            memory.withhold(echoes.get(3).request);
            guest.listen();
            memory.start(round, false);
            guest.start(ring);
            await().atMost(LIMIT).until(() -> memory.wasAsked(echoes.get(3).request));
            guest.frontEnd.close();
            backEnd.awaitDisconnected();
            awaitNoHelper();
            // The front-end has the userfaultfd all the time, and the test did not place the page.
            long page = memory.page(echoes.get(3).request) * GuestRam.PAGE;
            assertThat(guest.ram.file().nextHole(page))
                    .as("the page that did not come is no page")
                    .isEqualTo(page);
        }
        try (EchoGuest next = EchoGuest.start(backEnd)) {
            next.assertEcho();
        }
    }

    @Test
    @Tag("VHU-PST-8")
    void theEndOfPostCopyWakesWhatWaits() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        List<Echo> echoes = fill(guest, ring, new Random(1), 5);
        LateMemory memory = guest.leave();
        guest.listen();
        guest.start(ring);
        // All pages arrive in other ways, and the fault itself is not answered.
        await().atMost(LIMIT).until(() -> memory.lookForFaults() > 0);
        guest.ram.contents().copyFrom(contents(guest, memory));
        assertThat(memory.end(guest.frontEnd)).isZero();
        awaitEchoed(5);
        assertEchoed(guest, ring, echoes);
        awaitNoHelper();
    }

    private static MemorySegment contents(ArrivingGuest guest, LateMemory memory) {
        byte[] all = new byte[(int) guest.ram.size()];
        MemorySegment copy = MemorySegment.ofArray(all);
        for (Region region : guest.ram.regions()) {
            for (long at = 0; at < region.size(); at += GuestRam.PAGE) {
                copy.asSlice(region.fileOffset() + at, GuestRam.PAGE)
                        .copyFrom(memory.content(region.guestAddress() + at));
            }
        }
        return copy;
    }

    @Test
    @Tag("VHU-PST-8")
    void theProcessCanEndWhileAPageDoesNotCome() throws Exception {
        Path socket = folder.resolve("process");
        try (EchoProcess process = new EchoProcess(socket)) {
            ArrivingGuest guest =
                    new ArrivingGuest(FrontEnd.connect(socket), GuestRam.ofSize(4 * MIB), EchoGuest.SPLIT);
            guests.add(guest);
            RingDriver ring = guest.addRing(0, RING_SIZE);
            fill(guest, ring, new Random(1), 5);
            LateMemory memory = guest.leave();
            guest.listen();
            guest.start(ring);
            await().atMost(LIMIT).until(() -> memory.lookForFaults() > 0);
            assertThat(process.terminate(LIMIT)).as("the process has ended").isTrue();
        }
    }

    @Test
    @Tag("VHU-MEM-10")
    void memoryThatIsCutShortEndsTheConnectionAndNothingElse() throws Exception {
        ArrivingGuest guest = guest(EchoGuest.SPLIT);
        RingDriver ring = guest.addRing(0, RING_SIZE);
        guest.leave();
        guest.listen();
        guest.ram.file().truncate(0);
        try {
            guest.start(ring);
        } catch (IOException e) {
            // The connection may end in the middle of this.
        }
        backEnd.awaitDisconnected();
        backEnd.awaitFault(FaultKind.FRONT_END, "guest memory is inaccessible");
        awaitNoHelper();
        try (EchoGuest next = EchoGuest.start(backEnd)) {
            next.assertEcho();
        }
    }

    private static void awaitNoHelper() {
        await().atMost(LIMIT)
                .until(() -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().equals("exomem-late-pages")));
    }
}
