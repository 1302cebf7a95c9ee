package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;

import org.exomem.pages.PageFeed.Kind;
import org.junit.jupiter.api.Test;

class PageRunsTest {
    private final PageRuns runs = new PageRuns();

    @Test
    void neighboursThatFollowEachOtherAreOneInEitherDirection() {
        runs.pages(Kind.HINTED, 5, 4096, 4096);
        runs.pages(Kind.HINTED, 5, 8192, 8192);
        runs.pages(Kind.HINTED, 5, 0, 4096);
        assertThat(runs.end().toString())
                .isEqualTo("[{\"kind\":\"hinted\",\"session\":5,\"address\":0,\"length\":16384}]");
    }

    @Test
    void whatIsNotTheSameStaysApart() {
        runs.pages(Kind.INFLATED, 0, 0, 4096);
        runs.pages(Kind.DEFLATED, 0, 4096, 4096);
        runs.pages(Kind.RESET, 0, 0, 0);
        runs.pages(Kind.INFLATED, 0, 8192, 4096);
        runs.pages(Kind.INFLATED, 0, 16384, 4096);
        assertThat(runs.end()).hasSize(5);
    }

    @Test
    void commandIdIsUnsigned() {
        runs.pages(Kind.HINTING_STARTED, 0x80000001, 0, 0);
        assertThat(runs.end().toString()).isEqualTo("[{\"kind\":\"hinting-started\",\"session\":2147483649}]");
    }
}
