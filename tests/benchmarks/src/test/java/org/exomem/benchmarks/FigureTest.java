package org.exomem.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class FigureTest {
    @Test
    void targetIsMissedOnItsWrongSideOnly() {
        assertThat(Figure.of("ratio", 0.7, "").atMost(0.7).isMissed()).isFalse();
        assertThat(Figure.of("ratio", 0.71, "").atMost(0.7).isMissed()).isTrue();
        assertThat(Figure.of("rate", 50, "M PFN/s").atLeast(50).isMissed()).isFalse();
        assertThat(Figure.of("rate", 49.9, "M PFN/s").atLeast(50).isMissed()).isTrue();
        assertThat(Figure.of("time", 1e9, "ms").isMissed()).isFalse();
    }

    @Test
    void tableMarksTargetsAndMisses() {
        assertThat(Figure.of("start", 412.4, "ms").atMost(400).row()).matches(" +start +412 ms +<= 400  MISSED");
        assertThat(Figure.of("start", 0.634, "").atMost(0.7).row()).matches(" +start +0\\.63 +<= 0\\.70  met");
    }

    @Test
    void medianOfAnEvenNumberOfValuesIsBetweenTheMiddleTwo() {
        assertThat(Median.of(List.of(3, 1, 2))).isEqualTo(2);
        assertThat(Median.of(List.of(4, 1, 2, 100))).isEqualTo(3);
    }
}
