package org.exomem.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.exomem.benchmarks.PageRuns.Run;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A device can't join two runs into one call: otherwise it would make fewer calls than the plain calls. */
class PageRunsTest {
    static List<PageRuns> shapes() {
        return List.of(PageRuns.whole(100, 5000), PageRuns.scattered(100, 5000), PageRuns.mixed(100, 5000));
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void runsAreInTheirRangeAndDoNotTouch(PageRuns shape) {
        List<Run> runs = shape.ascending();
        assertThat(runs).hasSizeGreaterThan(10).hasSameElementsAs(shape.runs());
        assertThat(runs.getFirst().first()).isGreaterThanOrEqualTo(100);
        long previousEnd = 0;
        for (Run run : runs) {
            assertThat(run.first()).isGreaterThan(previousEnd);
            previousEnd = run.first() + run.pages();
        }
        assertThat(previousEnd).isLessThanOrEqualTo(5000);
        assertThat(shape.pages()).isEqualTo(runs.stream().mapToLong(Run::pages).sum());
    }
}
