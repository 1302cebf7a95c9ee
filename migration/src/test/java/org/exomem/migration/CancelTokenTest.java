package org.exomem.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class CancelTokenTest {
    private final CancelToken token = new CancelToken();
    private final AtomicInteger told = new AtomicInteger();

    @Test
    void cancellingTellsEverybodyOnce() {
        token.onCancel(told::incrementAndGet);
        assertThat(token.cancel()).isTrue();
        assertThat(token.cancel()).isTrue();
        assertThat(told).hasValue(1);
        token.onCancel(told::incrementAndGet);
        assertThat(told).hasValue(2);
        assertThatThrownBy(token::check).isInstanceOf(MigrationCancelledException.class);
        assertThatThrownBy(token::close).isInstanceOf(MigrationCancelledException.class);
    }

    @Test
    void whatIsClosedCannotBeCancelledAnyMore() throws Exception {
        token.onCancel(told::incrementAndGet);
        token.close();
        assertThat(token.cancel()).isFalse();
        token.onCancel(told::incrementAndGet);
        token.check();
        assertThat(token.isCancelled()).isFalse();
        assertThat(told).hasValue(0);
    }
}
