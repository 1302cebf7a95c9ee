package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryLimitTest {
    private static final long LIMIT = 64 << 20;
    private static final long FEATURES = Features.VERSION_1 | Features.PROTOCOL_FEATURES;

    @TempDir
    Path folder;

    @Test
    @Tag("VHU-MEM-12")
    void frontEndThatSharesMoreThanTheLimitIsRefusedAndToldToTheOperator() throws Exception {
        Path socket = folder.resolve("b");
        VmConfig config = new VmConfig("web", Optional.of(ServeConfig.balloon("vm=web,socket=" + socket)), List.of());
        List<VmEvent> events = new CopyOnWriteArrayList<>();
        try (ServedVm _ = ServedVm.start(
                        config, Optional.empty(), events::add, (vmm, failed) -> {}, VmmProcesses.NONE, LIMIT);
                GuestRam large = GuestRam.ofSize(2 * LIMIT);
                GuestRam small = GuestRam.ofSize(LIMIT)) {
            assertThatThrownBy(
                            () -> AttachedDevice.attach(FrontEnd.connect(socket), large, FEATURES, Protocol.REPLY_ACK))
                    .isInstanceOf(IOException.class);
            assertThat(events)
                    .anySatisfy(event -> assertThat(event.toString()).contains("the limit for a VM is " + LIMIT));
            AttachedDevice.attach(FrontEnd.connect(socket), small, FEATURES, Protocol.REPLY_ACK)
                    .close();
        }
    }
}
