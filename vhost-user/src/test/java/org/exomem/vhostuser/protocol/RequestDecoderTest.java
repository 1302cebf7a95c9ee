package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.vhostuser.protocol.FrontEndRequest.*;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RequestDecoderTest {
    private final Arena arena = Arena.ofConfined();
    private final List<EventFd> notifiers = new ArrayList<>();

    @AfterEach
    void close() {
        arena.close();
        notifiers.forEach(EventFd::close);
    }

    private MemorySegment payload(int size) {
        return arena.allocate(Math.max(size, 1), 8).asSlice(0, size);
    }

    private List<Fd> fds(int count) throws Exception {
        List<Fd> fds = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            EventFd notifier = new EventFd();
            notifiers.add(notifier);
            fds.add(notifier.fd());
        }
        return fds;
    }

    @ParameterizedTest
    @EnumSource(RequestType.class)
    void noPayloadOfWhateverSizeAndContentCausesAnythingButAFault(RequestType type) throws Exception {
        long seed = 20_261_120L + type.number();
        Random random = new Random(seed);
        List<Fd> available = fds(9);
        for (int i = 0; i < 20_000; i++) {
            MemorySegment bytes = payload(random.nextInt(i % 2 == 0 ? 48 : 320));
            byte[] content = new byte[(int) bytes.byteSize()];
            if (i % 4 != 0) {
                random.nextBytes(content);
            }
            MemorySegment.copy(MemorySegment.ofArray(content), 0, bytes, 0, content.length);
            // REM_MEM_REG closes its descriptors, so it gets none here.
            int fds = type == RequestType.REM_MEM_REG ? 0 : random.nextInt(9);
            try {
                RequestDecoder.decode(type, bytes, available.subList(0, fds));
            } catch (FrontEndFault expected) {
                assertThat(expected.getMessage())
                        .as("seed %d", seed)
                        .contains(type.name().substring(0, 3));
            }
        }
    }

    @Test
    @Tag("VHU-PAY-4")
    void aMemoryTableCarriesItsRegionsAndFiles() throws Exception {
        MemorySegment table = payload(8 + 2 * 32);
        table.set(JAVA_INT, 0, 2);
        table.set(JAVA_LONG, 8 + 32, 0x1_0000_0000L);
        table.set(JAVA_LONG, 8 + 32 + 8, 0x2000);
        table.set(JAVA_LONG, 8 + 32 + 16, 0x7f00_0000_0000L);
        table.set(JAVA_LONG, 8 + 32 + 24, 0x3000);
        SetMemTable request = (SetMemTable) RequestDecoder.decode(RequestType.SET_MEM_TABLE, table, fds(2));
        assertThat(request.regions().get(1))
                .isEqualTo(new RegionDescription(0x1_0000_0000L, 0x2000, 0x7f00_0000_0000L, 0x3000));
        assertThat(request.files()).hasSize(2);
        assertThatThrownBy(() -> RequestDecoder.decode(RequestType.SET_MEM_TABLE, table, fds(1)))
                .hasMessage("SET_MEM_TABLE has 2 regions and 1 file descriptors");
    }

    @Test
    @Tag("VHU-PAY-5")
    void aSingleRegionStandsBehindPadding() throws Exception {
        MemorySegment bytes = payload(40);
        bytes.set(JAVA_LONG, 8, 0x1000);
        bytes.set(JAVA_LONG, 16, 0x2000);
        AddMemReg request = (AddMemReg) RequestDecoder.decode(RequestType.ADD_MEM_REG, bytes, fds(1));
        assertThat(request.region()).isEqualTo(new RegionDescription(0x1000, 0x2000, 0, 0));
    }

    @Test
    @Tag("VHU-MEM-4")
    void aDescriptorThatComesWithARemovalIsClosed() throws Exception {
        List<Fd> fds = fds(1);
        RequestDecoder.decode(RequestType.REM_MEM_REG, payload(40), fds);
        assertThat(fds.getFirst().isOpen()).isFalse();
    }

    @Test
    @Tag("VHU-PAY-10")
    void aRingIsNamedByTheLowByteOfItsNotifier() throws Exception {
        MemorySegment value = payload(8);
        value.set(JAVA_LONG, 0, 3);
        List<Fd> fds = fds(1);
        assertThat(RequestDecoder.decode(RequestType.SET_VRING_KICK, value, fds))
                .isEqualTo(new SetVringKick(3, fds.getFirst()));
        value.set(JAVA_LONG, 0, 0x103);
        assertThat(RequestDecoder.decode(RequestType.SET_VRING_CALL, value, List.of()))
                .isEqualTo(new SetVringCall(3, null));
        assertThatThrownBy(() -> RequestDecoder.decode(RequestType.SET_VRING_ERR, value, fds))
                .hasMessage("SET_VRING_ERR has the no-descriptor bit set, but came with a descriptor");
        value.set(JAVA_LONG, 0, 3);
        assertThatThrownBy(() -> RequestDecoder.decode(RequestType.SET_VRING_ERR, value, List.of()))
                .hasMessage("SET_VRING_ERR came without its descriptor");
    }

    @Test
    @Tag("VHU-MEM-5")
    void regionsThatNoMemoryCanHaveAreRefused() {
        assertFault(new RegionDescription(0, 0, 0, 0), "is empty");
        assertFault(new RegionDescription(1, 0x1000, 0, 0), "does not consist of whole pages");
        assertFault(new RegionDescription(1L << 48, 0x1000, 0, 0), "extends beyond guest address 2^48");
        assertFault(new RegionDescription(-0x1000, 0x2000, 0, 0), "extends beyond guest address 2^48");
        assertFault(new RegionDescription(0, -0x1000, 0, 0), "extends beyond guest address 2^48");
        assertFault(new RegionDescription(0, 0x2000, -0x1000, 0), "wraps around the end");
        assertFault(
                new RegionDescription(0, 0x2000, 0, Long.MAX_VALUE & -0x1000),
                "extends beyond the largest offset of a file");
        new RegionDescription(0x1000, 0x2000, -0x2000, 0x5000).check();
    }

    private static void assertFault(RegionDescription region, String message) {
        assertThatThrownBy(region::check).isInstanceOf(FrontEndFault.class).hasMessageContaining(message);
    }

    @Test
    @Tag("VHU-PAY-8")
    void inflightDescriptionsAreTakenWithAndWithoutPadding() throws Exception {
        for (int size : new int[] {20, 24}) {
            GetInflightFd request =
                    (GetInflightFd) RequestDecoder.decode(RequestType.GET_INFLIGHT_FD, payload(size), List.of());
            assertThat(request.wanted().wireSize()).isEqualTo(size);
            assertThat(request.wanted().encode().byteSize()).isEqualTo(size);
        }
    }

    @Test
    @Tag("VHU-HDR-2")
    @Tag("VHU-HDR-4")
    @Tag("VHU-HDR-5")
    void everyHeaderThatCanNotBeTrustedIsRefused() {
        MemorySegment header = payload(Header.SIZE);
        header.set(JAVA_INT, 0, 1);
        header.set(JAVA_INT, 4, 1 | 8);
        header.set(JAVA_INT, 8, Header.MAX_PAYLOAD);
        assertThat(Header.decode(header)).isEqualTo(new Header(1, 9, Header.MAX_PAYLOAD));
        assertThat(Header.decode(header).needsReply()).isTrue();
        header.set(JAVA_INT, 8, Header.MAX_PAYLOAD + 1);
        assertThatThrownBy(() -> Header.decode(header)).hasMessageContaining("announces 4097 bytes");
        header.set(JAVA_INT, 8, -1);
        assertThatThrownBy(() -> Header.decode(header)).hasMessageContaining("announces 4294967295 bytes");
        header.set(JAVA_INT, 8, 0);
        header.set(JAVA_INT, 4, 2);
        assertThatThrownBy(() -> Header.decode(header)).hasMessageContaining("has version 2");
        header.set(JAVA_INT, 4, 5);
        assertThatThrownBy(() -> Header.decode(header)).hasMessageContaining("is marked as a reply");
    }
}
