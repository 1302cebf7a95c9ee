package org.exomem.conformance;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.EventFd;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The dirty log has every write of the back-end, and nothing else (VHU-LOG). */
class DirtyLogTest {
    private static final long LOG_OFFSET = 4096;
    private static final long LOG_BYTES = 128;

    @TempDir
    Path folder;

    EchoBackEnd backEnd;
    SharedFile log;
    Mapping mapping;

    @BeforeEach
    void start() throws Exception {
        backEnd = new EchoBackEnd(folder.resolve("s"));
        log = SharedFile.memfd("log", 8192);
        mapping = Mapping.of(log, 0, 8192);
    }

    @AfterEach
    void end() {
        mapping.close();
        log.close();
        backEnd.close();
    }

    private EchoGuest attach(long features) throws Exception {
        return EchoGuest.attach(backEnd.connect(), features, EchoGuest.EVERY_PROTOCOL_FEATURE);
    }

    /** The pages that were marked since the last call. */
    private Set<Long> takeDirtyPages() {
        MemorySegment bits = mapping.segment().asSlice(LOG_OFFSET, LOG_BYTES);
        Set<Long> pages = new TreeSet<>();
        for (long page = 0; page < LOG_BYTES * 8; page++) {
            if ((bits.get(JAVA_BYTE, page / 8) >> (page % 8) & 1) != 0) {
                pages.add(page);
            }
        }
        bits.fill((byte) 0);
        assertThat(mapping.segment().asSlice(0, LOG_OFFSET).mismatch(MemorySegment.ofArray(new byte[4096])))
                .as("nothing is written before the log's offset")
                .isEqualTo(-1);
        return pages;
    }

    private static long page(long address) {
        return address / GuestRam.PAGE;
    }

    @Test
    @Tag("VHU-FEAT-6")
    void aDriverThatAcknowledgesLogAllWithoutALogChangesNothing() throws Exception {
        try (EchoGuest guest = attach(EchoGuest.SPLIT | Features.LOG_ALL);
                EventFd notifier = new EventFd()) {
            guest.frontEnd().setLogFd(notifier);
            guest.device.start();
            guest.assertEcho();
            assertThat(backEnd.device.acknowledged)
                    .as("what the device is told")
                    .isEqualTo(EchoGuest.SPLIT);
        }
        assertThat(takeDirtyPages()).isEmpty();
        assertThat(backEnd.faults).isEmpty();
    }

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-LOG-1")
    @Tag("VHU-LOG-3")
    @ValueSource(longs = {EchoGuest.SPLIT, EchoGuest.PACKED, EchoGuest.SPLIT | Features.EVENT_IDX})
    void everyWriteIsMarked(long features) throws Exception {
        try (EchoGuest guest = attach(features | Features.LOG_ALL)) {
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            guest.device.start(guest.ring, guest.ring.base(), true);
            takeDirtyPages();
            guest.assertEcho();
            assertThat(takeDirtyPages()).contains(page(guest.responseAddress()), usedPage(guest, features));
            guest.assertEcho();
            assertThat(takeDirtyPages()).contains(page(guest.responseAddress()), usedPage(guest, features));
        }
    }

    /** A packed ring's used entries are among its descriptors. */
    private static long usedPage(EchoGuest guest, long features) {
        return page((features & Features.RING_PACKED) != 0 ? guest.ring.descriptors() : guest.ring.deviceArea());
    }

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-LOG-3")
    @ValueSource(longs = {EchoGuest.SPLIT, EchoGuest.PACKED})
    void nothingElseIsMarked(long features) throws Exception {
        try (EchoGuest guest = attach(features | Features.LOG_ALL)) {
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            guest.device.start(guest.ring, guest.ring.base(), true);
            takeDirtyPages();
            guest.assertEcho();
            Set<Long> allowed = new TreeSet<>(Set.of(page(guest.responseAddress())));
            for (long part : new long[] {guest.ring.descriptors(), guest.ring.deviceArea()}) {
                allowed.add(page(part));
            }
            assertThat(allowed).containsAll(takeDirtyPages());
        }
    }

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-LOG-4")
    @Tag("VHU-PAY-3")
    @ValueSource(longs = {EchoGuest.SPLIT})
    void usedWritesAreMarkedAtTheAddressThatTheRingGives(long features) throws Exception {
        try (EchoGuest guest = attach(features | Features.LOG_ALL)) {
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            long elsewhere = 3 << 20;
            RingAddresses here = guest.ring.addresses(true);
            startAt(guest, new RingAddresses(0, 1, here.descriptors(), here.used(), here.available(), elsewhere));
            takeDirtyPages();
            guest.assertEcho();
            assertThat(takeDirtyPages()).containsExactlyInAnyOrder(page(guest.responseAddress()), page(elsewhere));
        }
    }

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-LOG-4")
    @ValueSource(longs = {EchoGuest.SPLIT, EchoGuest.PACKED})
    void usedWritesAreNotMarkedWithoutTheRingsFlag(long features) throws Exception {
        try (EchoGuest guest = attach(features | Features.LOG_ALL)) {
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            guest.device.start(guest.ring, guest.ring.base(), false);
            takeDirtyPages();
            guest.assertEcho();
            assertThat(takeDirtyPages()).containsExactly(page(guest.responseAddress()));
        }
    }

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-LOG-5")
    @ValueSource(longs = {EchoGuest.SPLIT, EchoGuest.PACKED})
    void markingFollowsTheFeatureWhileTheRingRuns(long features) throws Exception {
        try (EchoGuest guest = attach(features)) {
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            guest.device.start(guest.ring, guest.ring.base(), false);
            guest.assertEcho();
            assertThat(takeDirtyPages()).isEmpty();
            guest.frontEnd().setFeatures(features | Features.LOG_ALL);
            guest.frontEnd().setVringAddr(guest.ring.addresses(true));
            guest.assertEcho();
            assertThat(takeDirtyPages()).contains(page(guest.responseAddress()), usedPage(guest, features));
            guest.frontEnd().setVringAddr(guest.ring.addresses(false));
            guest.frontEnd().setFeatures(features);
            takeDirtyPages();
            guest.assertEcho();
            assertThat(takeDirtyPages()).isEmpty();
        }
    }

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-LOG-6")
    @ValueSource(longs = {EchoGuest.SPLIT})
    void aNewLogReplacesTheOneBeforeAtAnyTime(long features) throws Exception {
        try (EchoGuest guest = attach(features | Features.LOG_ALL);
                SharedFile first = SharedFile.memfd("first", 4096);
                EventFd changed = new EventFd()) {
            guest.frontEnd().setLogBase(first, LOG_BYTES, 0);
            guest.device.start(guest.ring, guest.ring.base(), true);
            guest.frontEnd().setLogFd(changed);
            guest.assertEcho();
            HeldResources before = HeldResources.now();
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            guest.frontEnd().setLogBase(log, LOG_BYTES, LOG_OFFSET);
            takeDirtyPages();
            guest.assertEcho();
            assertThat(takeDirtyPages()).contains(page(guest.responseAddress()));
            before.assertSameNow();
        }
    }

    private static void startAt(EchoGuest guest, RingAddresses addresses) throws Exception {
        FrontEnd frontEnd = guest.frontEnd();
        frontEnd.setVringNum(0, guest.ring.size());
        frontEnd.setVringBase(0, guest.ring.base());
        frontEnd.setVringAddr(addresses);
        frontEnd.setVringCall(0, guest.ring.callFd());
        frontEnd.setVringKick(0, guest.ring.kickFd());
        frontEnd.setVringEnable(0, true);
    }
}
