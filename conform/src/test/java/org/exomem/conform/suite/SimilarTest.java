package org.exomem.conform.suite;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Names that somebody may have meant. */
class SimilarTest {
    @ParameterizedTest
    @CsvSource({"abcd,abcd,0", "abcd,abd,1", "abd,abcd,1", "abcd,abxd,1", "abcd,acbd,1", "abcd,wxyz,4", "'',abc,3"})
    void aLetterPutInLeftOutReplacedOrSwappedIsOneMistake(String from, String to, int mistakes) {
        assertThat(Similar.mistakes(from, to)).isEqualTo(mistakes);
    }

    @Test
    void theNearestNameIsFoundIfItIsNear() {
        List<String> names = List.of("balloon.hint.7", "balloon.pages.7", "mem.block");
        assertThat(Similar.to("balloon.hnt.7", names)).hasValue("balloon.hint.7");
        assertThat(Similar.to("mem.blcok", names)).hasValue("mem.block");
        assertThat(Similar.to("robust", names)).isEmpty();
    }
}
