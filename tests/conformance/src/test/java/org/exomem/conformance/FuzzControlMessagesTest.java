package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.exomem.conformance.fuzz.FuzzControlMessages;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A short run of the fuzzer; its own main makes long ones. */
class FuzzControlMessagesTest {
    private static final int CONNECTIONS = Integer.getInteger("exomem.fuzz", 1_500);

    @TempDir
    Path folder;

    @Test
    void noMessageHarmsTheProcessOrAnotherVm() throws Exception {
        long seed = System.nanoTime();
        try (EchoBackEnd victim = new EchoBackEnd(folder.resolve("victim"));
                EchoBackEnd other = new EchoBackEnd(folder.resolve("other"));
                EchoGuest bystander = EchoGuest.start(other)) {
            FuzzControlMessages fuzz = new FuzzControlMessages(victim.socket, seed);
            fuzz.assertAlive();
            victim.awaitDisconnected();
            HeldResources before = HeldResources.now();
            for (int i = 0; i < CONNECTIONS; i++) {
                fuzz.connection(i);
                if (i % 100 == 0) {
                    fuzz.assertAlive();
                    bystander.assertEcho();
                }
            }
            fuzz.assertAlive();
            victim.awaitDisconnected();
            before.assertSameNow();
            try (EchoGuest next = EchoGuest.start(victim)) {
                next.assertEcho();
            }
            assertThat(victim.faults)
                    .isNotEmpty()
                    .noneMatch(fault -> fault.message().contains("null"));
            assertThat(victim.faults)
                    .filteredOn(fault -> fault.kind() == FaultKind.HOST)
                    .isEmpty();
            assertThat(other.faults).isEmpty();
        } catch (Exception | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }
}
