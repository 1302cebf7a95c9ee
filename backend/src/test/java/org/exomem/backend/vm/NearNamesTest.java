package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class NearNamesTest {
    private static final List<String> MANY =
            IntStream.range(0, 200).mapToObj(i -> "vm" + (1000 + i)).toList();

    @Test
    void allNamesAreListedWhereTheyAreFew() {
        assertThat(NearNames.instead("wbe", List.of("db", "web"), "VMs")).isEqualTo("there are db, web");
        assertThat(NearNames.instead("web", List.of(), "VMs")).isEqualTo("there are no VMs");
    }

    @Test
    void ofManyNamesOnlySimilarOnesAreListed() {
        assertThat(NearNames.instead("VM110", MANY, "VMs"))
                .startsWith("there are 200 VMs; similar names: vm1010, vm1100, ")
                .hasSizeLessThan(140);
    }

    @Test
    void ofManyNamesThatAreAllDifferentTenAreListed() {
        assertThat(NearNames.instead("database", MANY, "VMs"))
                .isEqualTo(
                        "there are 200 VMs, among them vm1000, vm1001, vm1002, vm1003, vm1004, vm1005, vm1006, vm1007,"
                                + " vm1008, vm1009");
    }
}
