package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class InheritingProcessTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private List<Fd> pair = List.of();

    @BeforeEach
    void open() throws Exception {
        pair = UnixSockets.pair();
    }

    @AfterEach
    void close() {
        pair.forEach(Fd::close);
    }

    @Test
    void theProgramHasTheDescriptorAsNumberThree() throws Exception {
        try (InheritingProcess process =
                InheritingProcess.start("test -S /proc/self/fd/" + InheritingProcess.NUMBER, pair.getFirst())) {
            assertThat(process.awaitEnd(LIMIT)).hasValue(0);
        }
    }

    @Test
    void theStatusIsTheProgramsOwn() throws Exception {
        try (InheritingProcess process = InheritingProcess.start("exit 7", pair.getFirst())) {
            assertThat(process.awaitEnd(LIMIT)).hasValue(7);
        }
    }

    @Test
    void aSignalIsToldAs128AndItsNumber() throws Exception {
        try (InheritingProcess process = InheritingProcess.start("exec sleep 600", pair.getFirst())) {
            assertThat(process.awaitEnd(Duration.ZERO)).isEmpty();
            process.terminate(LIMIT);
            assertThat(process.awaitEnd(LIMIT)).hasValue(128 + 15);
        }
    }
}
