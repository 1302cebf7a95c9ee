package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class CLibraryTest {
    @Test
    void noProgramIsStartedToFindIt() throws Exception {
        try (EventFd notifier = new EventFd()) {
            // JNA asks ldconfig where libraries are unless this is set, and sets it to what it was told.
            assertThat(System.getProperty("jna.platform.library.path")).isEmpty();
            assertThat(notifier.fd().number()).isNotNegative();
        }
    }
}
