package org.exomem.vhostuser.memory;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.MappedFiles;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class GuestMemoryTest {
    private static final long MIB = 1 << 20;
    private static final long GIB4 = 4L << 30;
    private final GuestMemory memory = new GuestMemory();

    @AfterEach
    void unmap() {
        memory.close();
    }

    private static MemoryRegion region(SharedFile file, long guestAddress, long size, long user, long offset)
            throws Exception {
        return MemoryRegion.map(
                guestAddress, size, user, offset, new SharedFile(file.fd().duplicate()));
    }

    @Test
    void anAddressIsFoundInItsRegionAndNowhereElse() throws Exception {
        try (SharedFile file = SharedFile.memfd("ram", 2 * MIB)) {
            MemoryRegion high = region(file, GIB4, MIB, 0x7000_0010_0000L, MIB);
            MemoryRegion low = region(file, 0, MIB, 0x7000_0000_0000L, 0);
            memory.add(high);
            memory.add(low);
            assertThat(memory.regions()).containsExactly(low, high);
            assertThat(memory.find(MIB - 1)).isSameAs(low);
            assertThat(memory.find(MIB)).isNull();
            assertThat(memory.find(GIB4)).isSameAs(high);
            assertThat(memory.find(GIB4 + MIB)).isNull();
            assertThat(memory.find(-1)).isNull();
            assertThat(memory.findFrom(MIB - 1)).isSameAs(low);
            assertThat(memory.findFrom(MIB)).as("the next one above").isSameAs(high);
            assertThat(memory.findFrom(GIB4 + MIB - 1)).isSameAs(high);
            assertThat(memory.findFrom(GIB4 + MIB)).isNull();
            assertThat(memory.findUser(0x7000_0010_0000L)).isSameAs(high);
            assertThat(memory.size()).isEqualTo(2 * MIB);
            assertThat(high.file().isSameFileAs(low.file())).isTrue();
        }
    }

    @Test
    void aRegionShowsItsPartOfTheFile() throws Exception {
        try (SharedFile file = SharedFile.memfd("ram", 2 * MIB);
                Mapping whole = Mapping.of(file, 0, 2 * MIB)) {
            whole.segment().set(JAVA_BYTE, MIB + 5, (byte) 42);
            memory.add(region(file, GIB4, MIB, 0, MIB));
            MemorySegment segment = Objects.requireNonNull(memory.find(GIB4)).segment();
            assertThat(segment.byteSize()).isEqualTo(MIB);
            assertThat(segment.get(JAVA_BYTE, 5)).isEqualTo((byte) 42);
        }
    }

    @Test
    @Tag("VHU-MEM-5")
    void overlapsAreFoundByGuestAndByUserAddress() throws Exception {
        try (SharedFile file = SharedFile.memfd("ram", 2 * MIB)) {
            memory.add(region(file, MIB, MIB, GIB4, 0));
            assertThat(memory.overlapping(2 * MIB - 1, 0, 1)).isNotNull();
            assertThat(memory.overlapping(0, 0, MIB + 1)).isNotNull();
            assertThat(memory.overlapping(0, 0, MIB)).isNull();
            assertThat(memory.overlapping(2 * MIB, GIB4 + MIB - 1, MIB)).isNotNull();
            assertThat(memory.overlapping(2 * MIB, GIB4 + MIB, MIB)).isNull();
        }
    }

    @Test
    void aRegionThatWasRemovedIsUnmapped() throws Exception {
        try (SharedFile file = SharedFile.memfd("ram", MIB)) {
            MemoryRegion region = region(file, 0, MIB, 0, 0);
            memory.add(region);
            memory.remove(region);
            assertThat(memory.find(0)).isNull();
            assertThatThrownBy(() -> region.segment().get(JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
            assertThat(region.file().fd().isOpen()).isFalse();
        }
    }

    @Test
    void replacingTheTableClosesTheOldOne() throws Exception {
        try (SharedFile file = SharedFile.memfd("ram", MIB)) {
            MemoryRegion old = region(file, 0, MIB, 0, 0);
            memory.add(old);
            MemoryRegion fresh = region(file, GIB4, MIB, 0, 0);
            memory.replace(List.of(fresh));
            assertThat(memory.regions()).containsExactly(fresh);
            assertThat(old.file().fd().isOpen()).isFalse();
        }
    }

    @Test
    @Tag("VHU-LOG-1")
    void aLogMayBeginAndEndAtAnyByte() throws Exception {
        try (SharedFile file = SharedFile.memfd("log", 4096);
                Mapping bits = Mapping.of(file, 0, 4096);
                DirtyLog log = DirtyLog.map(file, 61, 5)) {
            memory.logTo(log);
            memory.markDirty(0, 4096 * 1000L);
            memory.logTo(null);
            for (int i = 0; i < 4096; i++) {
                assertThat(bits.segment().get(JAVA_BYTE, i)).as("byte %d", i).isEqualTo((byte)
                        (i >= 61 && i < 66 ? -1 : 0));
            }
        }
    }

    @Test
    @Tag("VHU-LOG-1")
    @Tag("VHU-LOG-5")
    void writesAreLoggedByPageAndOnlyWhileLogging() throws Exception {
        try (SharedFile file = SharedFile.memfd("log", 4096);
                Mapping bits = Mapping.of(file, 0, 4096);
                DirtyLog log = DirtyLog.map(file, 64, 1024)) {
            memory.markDirty(0, 1);
            memory.logTo(log);
            memory.markDirty(4096 * 70L + 4095, 2);
            memory.markDirty(4096 * 9000L, 4096);
            memory.logTo(null);
            memory.markDirty(0, 1);
            assertThat(bits.segment().get(JAVA_LONG, 64)).isZero();
            assertThat(bits.segment().get(JAVA_LONG, 72)).isEqualTo(0b11L << 6);
        }
    }

    @Test
    void ofALogOnlyWhatGuestAddressesCanNeedIsMapped() throws IOException {
        long most = 1L << (48 - 12 - 3);
        try (SharedFile file = SharedFile.memfd("large log", 1L << 40);
                DirtyLog log = DirtyLog.map(file, 4096, (1L << 40) - 4096)) {
            log.mark((1L << 48) - 1, 1);
            long mapped = MappedFiles.of((int) ProcessHandle.current().pid(), MappedFiles.nameOf(file)).stream()
                    .mapToLong(MappedFiles.Area::length)
                    .sum();
            assertThat(mapped).isEqualTo(most);
            assertThat(file.nextData(0)).isEqualTo(most);
        }
    }
}
