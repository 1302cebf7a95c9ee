package org.exomem.backend.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class SuccessorNamesTest {
    @Test
    void eachSuccessorHasNamesThatNoneBeforeItHad() {
        Path qmp = Path.of("/run/web.qmp");
        SuccessorNames first = SuccessorNames.after(List.of(qmp, Path.of("/run/web.pid")));
        assertThat(first.meanwhile(qmp)).isEqualTo(Path.of("/run/web.qmp.next1"));
        SuccessorNames second = SuccessorNames.after(List.of(first.meanwhile(qmp)));
        assertThat(second.meanwhile(qmp)).isEqualTo(Path.of("/run/web.qmp.next2"));
    }

    @Test
    void nameThatLastsIsTheOneWithoutTheSuffix() {
        assertThat(SuccessorNames.lasting(Path.of("/run/web.qmp.next12"))).isEqualTo(Path.of("/run/web.qmp"));
        assertThat(SuccessorNames.lasting(Path.of("/run/web.next"))).isEqualTo(Path.of("/run/web.next"));
    }
}
