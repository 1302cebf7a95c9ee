package org.exomem.migration.stream.format;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class CompressorTest {
    @Test
    void mayBeClosedWhileItWorks() throws Exception {
        for (int i = 0; i < 20; i++) {
            Compressor compressor = new Compressor();
            ByteBuffer content = ByteBuffer.allocateDirect(ChunkType.Limits.PAGES);
            CountDownLatch works = new CountDownLatch(1);
            FutureTask<Integer> worker = new FutureTask<>(() -> {
                int times = 0;
                while (compressor.compress(content.clear()) != null) {
                    times++;
                    works.countDown();
                }
                return times;
            });
            Thread.ofPlatform().start(worker);
            works.await();
            compressor.close();
            assertThat(worker.get()).isPositive();
        }
    }
}
