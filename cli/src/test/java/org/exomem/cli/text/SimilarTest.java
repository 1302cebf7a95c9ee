package org.exomem.cli.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SimilarTest {
    @Test
    void distanceCountsWhatMustBeChangedAddedOrLeftOut() {
        assertThat(Similar.distance("kitten", "sitting")).isEqualTo(3);
        assertThat(Similar.distance("", "web")).isEqualTo(3);
        assertThat(Similar.distance("web", "WEB")).isZero();
    }

    @Test
    void theNearestComesFirst() {
        assertThat(Similar.to("weeb", List.of("data", "wob", "web"))).containsExactly("web", "wob");
    }
}
