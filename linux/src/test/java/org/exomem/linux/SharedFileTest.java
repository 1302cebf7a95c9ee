package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class SharedFileTest {
    private static final long MIB = 1 << 20;

    @Test
    void aPunchedHoleGivesMemoryBackAndReadsAsZeros() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", 4 * MIB);
                Mapping mapping = Mapping.of(file, 0, 4 * MIB)) {
            mapping.segment().fill((byte) 1);
            assertThat(file.allocatedBytes()).isEqualTo(4 * MIB);
            file.punchHole(MIB, 2 * MIB);
            assertThat(file.allocatedBytes()).isEqualTo(2 * MIB);
            assertThat(mapping.segment().get(JAVA_BYTE, MIB)).isZero();
            assertThat(mapping.segment().get(JAVA_BYTE, 3 * MIB)).isEqualTo((byte) 1);
        }
    }

    @Test
    void dataIsFoundWhereSomethingWasWrittenAndNotWhereItWasOnlyAllocated() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", 4 * MIB);
                Mapping mapping = Mapping.of(file, 0, 4 * MIB)) {
            assertThat(file.nextData(0)).isEqualTo(-1);
            file.allocate(2 * MIB, MIB);
            mapping.segment().asSlice(MIB, 8192).fill((byte) 1);
            assertThat(file.nextData(0)).isEqualTo(MIB);
            assertThat(file.nextHole(MIB)).isEqualTo(MIB + 8192);
            assertThat(file.nextData(MIB + 8192)).isEqualTo(-1);
            assertThat(file.allocatedBytes()).isEqualTo(MIB + 8192);
        }
    }

    @Test
    @Tag("VHU-MEM-7")
    void aFileIsRecognisedThroughAnyDescriptorOfIt() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", MIB);
                SharedFile again = new SharedFile(file.fd().duplicate());
                SharedFile other = SharedFile.memfd("test", MIB)) {
            assertThat(file.isSameFileAs(again)).isTrue();
            assertThat(file.isSameFileAs(other)).isFalse();
        }
    }

    @Test
    void aFileIsSealedAgainstWritesOnlyWhenNobodyHasItMapped() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", MIB)) {
            try (Mapping mapping = Mapping.of(file, 0, MIB)) {
                mapping.segment().set(JAVA_BYTE, 0, (byte) 1);
                assertThat(file.sealAgainstWrites()).isFalse();
            }
            assertThat(file.sealAgainstWrites()).isTrue();
        }
    }

    @Test
    void anAccessBehindTheEndOfATruncatedFileIsAnErrorAndNotTheEnd() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", MIB);
                Mapping mapping = Mapping.of(file, 0, MIB)) {
            file.truncate(0);
            assertThatThrownBy(() -> mapping.segment().get(JAVA_BYTE, 4096)).isInstanceOf(InternalError.class);
        }
    }

    @Test
    void anAccessToAClosedMappingIsRefused() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", MIB)) {
            Mapping mapping = Mapping.of(file, 0, MIB);
            mapping.close();
            mapping.close();
            assertThatThrownBy(() -> mapping.segment().get(JAVA_BYTE, 0)).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void anErrorNamesTheCallItsSubjectAndTheReason() throws Exception {
        try (SharedFile file = SharedFile.memfd("test", MIB)) {
            assertThatThrownBy(() -> file.punchHole(-4096, 4096))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("fallocate(PUNCH_HOLE, offset -4096, length 4096) of fd ")
                    .hasMessageContaining("EINVAL");
        }
    }
}
