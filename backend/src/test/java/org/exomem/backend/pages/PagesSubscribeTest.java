package org.exomem.backend.pages;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The bitmap that {@code pages-subscribe} shares, read by the rules of spec/pages.md. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class PagesSubscribeTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final int MIB = 1 << 20;

    private TestVms vms;
    private QmpClient control;
    private BalloonDriver driver;
    private Fd listening;
    private final List<PageReader> readers = new ArrayList<>();

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.named("a", "b");
        driver = vms.attach("a");
        control = QmpClient.connect(vms.control());
        listening = UnixSockets.listen(socket(), 1);
    }

    @AfterEach
    void stop() throws Exception {
        readers.forEach(PageReader::close);
        listening.close();
        control.close();
        vms.close();
    }

    private Path socket() {
        return vms.folder().resolve("pages");
    }

    private JsonNode execute(String command, ObjectNode arguments) throws IOException {
        return control.execute(command, arguments.put("vm", "a"));
    }

    private PageReader subscribe() throws IOException {
        execute("pages-subscribe", Json.object().put("socket", socket().toString()));
        PageReader reader = new PageReader(listening);
        readers.add(reader);
        return reader;
    }

    private int beginSession() throws IOException {
        execute("free-page-hint", Json.object().put("action", "start"));
        return driver.beginHinting();
    }

    @Test
    @Tag("PAG-SUB-1")
    @Tag("PAG-SUB-2")
    @Tag("PAG-BIT-1")
    @Tag("PAG-BIT-3")
    @Tag("PAG-BIT-6")
    void balloonIsFreeUntilItIsDeflated() throws Exception {
        driver.inflate(16 * MIB, 4 * MIB);
        PageReader reader = subscribe();
        assertThat(reader.pages()).isEqualTo(TestVms.MEMORY / 4096);
        assertThat(reader.isFree(16 * MIB, 4 * MIB)).isTrue();
        assertThat(reader.isAnyFree(0, 16 * MIB)).isFalse();
        driver.deflate(17 * MIB, MIB);
        reader.settle();
        assertThat(reader.isFree(16 * MIB, MIB)).isTrue();
        assertThat(reader.isAnyFree(17 * MIB, MIB)).isFalse();
        assertThat(reader.isFree(18 * MIB, 2 * MIB)).isTrue();
    }

    @Test
    @Tag("PAG-BIT-1")
    @Tag("PAG-BIT-2")
    void hintCountsIfItsSessionBeganAfterTheSync() throws Exception {
        PageReader reader = subscribe();
        reader.settle();
        int session = beginSession();
        driver.hint(32 * MIB, 8 * MIB, 4 * MIB);
        await().atMost(LIMIT).until(() -> reader.isFree(32 * MIB, 8 * MIB));
        assertThat(reader.session()).isEqualTo(session);
        assertThat(reader.isAnyFree(40 * MIB, 8 * MIB)).isFalse();
    }

    @Test
    @Tag("PAG-BIT-2")
    @Tag("PAG-BIT-6")
    void hintsOfASessionThatBeganBeforeTheSyncDoNotCount() throws Exception {
        driver.inflate(33 * MIB, MIB);
        PageReader reader = subscribe();
        beginSession();
        driver.hint(32 * MIB, 8 * MIB, 4 * MIB);
        await().atMost(LIMIT).until(() -> reader.isFree(32 * MIB, 8 * MIB));
        reader.settle();
        assertThat(reader.session()).isZero();
        assertThat(reader.isAnyFree(32 * MIB, MIB)).isFalse();
        assertThat(reader.isFree(33 * MIB, MIB)).isTrue();
        assertThat(reader.isAnyFree(34 * MIB, 6 * MIB)).isFalse();
        driver.hint(48 * MIB, 4 * MIB, 4 * MIB);
        reader.settle();
        assertThat(reader.isAnyFree(48 * MIB, 4 * MIB)).isFalse();
    }

    @Test
    @Tag("PAG-BIT-1")
    @Tag("PAG-BIT-2")
    void hintedPagesStayFreeUntilTheNextSyncAlthoughTheSessionEnded() throws Exception {
        PageReader reader = subscribe();
        reader.settle();
        int session = beginSession();
        driver.hint(32 * MIB, 8 * MIB, 4 * MIB);
        await().atMost(LIMIT).until(() -> reader.session() == session && reader.isFree(32 * MIB, 8 * MIB));
        driver.endHinting();
        await().atMost(LIMIT).until(() -> reader.session() == 0);
        assertThat(reader.isFree(32 * MIB, 8 * MIB)).isTrue();
        reader.settle();
        assertThat(reader.isAnyFree(0, TestVms.MEMORY)).isFalse();
    }

    @Test
    @Tag("PAG-BIT-3")
    void resetEmptiesTheBalloon() throws Exception {
        driver.inflate(16 * MIB, MIB);
        PageReader reader = subscribe();
        assertThat(reader.isFree(16 * MIB, MIB)).isTrue();
        driver.close();
        await().atMost(LIMIT).until(() -> !reader.isAnyFree(0, TestVms.MEMORY));
        assertThat(reader.losses()).isZero();
    }

    @Test
    @Tag("PAG-BIT-5")
    void changesAreSignalled() throws Exception {
        PageReader reader = subscribe();
        driver.inflate(16 * MIB, MIB);
        await().atMost(LIMIT).until(() -> {
            boolean signalled = reader.awaitChange(LIMIT);
            assertThat(signalled).as("nothing changes without a signal").isTrue();
            return reader.isFree(16 * MIB, MIB);
        });
    }

    @Test
    @Tag("PAG-SUB-3")
    void ninthSubscriberIsRefused() throws Exception {
        for (int i = 0; i < 8; i++) {
            subscribe();
        }
        assertThatThrownBy(this::subscribe).hasMessageContaining("VM \"a\": the VM has 8 subscribers already");
    }

    @Test
    @Tag("PAG-SUB-4")
    void subscriberThatGoesIsForgottenAndMayComeAgain() throws Exception {
        for (int i = 0; i < 20; i++) {
            subscribeAtLast().close();
        }
        subscribeAtLast().settle();
    }

    /** Subscribes as soon as the limit of subscriptions permits it. */
    private PageReader subscribeAtLast() {
        return await().atMost(LIMIT)
                .ignoreExceptionsInstanceOf(QmpException.class)
                .until(this::subscribe, Objects::nonNull);
    }

    @Test
    @Tag("PAG-SUB-5")
    void truncatedFileEndsTheSubscriptionOnly() throws Exception {
        PageReader reader = subscribe();
        reader.truncate();
        driver.inflate(16 * MIB, MIB);
        assertThat(reader.isEnded()).isTrue();
        driver.inflate(17 * MIB, MIB);
        assertThat(execute("query-balloon", Json.object()).path("ballooned").asLong())
                .isEqualTo(2 * MIB);
    }

    @Test
    @Tag("PAG-SUB-3")
    void refusalSaysWhy() {
        assertThatThrownBy(() -> execute(
                        "pages-subscribe",
                        Json.object()
                                .put("socket", vms.folder().resolve("nobody").toString())))
                .hasMessageContaining("VM \"a\": can't share its free pages on ");
        assertThatThrownBy(() -> execute("pages-subscribe", Json.object().put("socket", "/" + "x".repeat(200))))
                .hasMessageContaining("VM \"a\": can't share its free pages on /xxx");
        assertThatThrownBy(() -> execute("pages-subscribe", Json.object().put("socket", "/a\0b")))
                .hasMessageContaining("is not a valid path");
        assertThatThrownBy(() -> execute("pages-subscribe", Json.object().put("socket", "pages")))
                .hasMessageContaining("must be an absolute path");
        assertThatThrownBy(() -> control.execute(
                        "pages-subscribe", Json.object().put("vm", "b").put("socket", socket().toString())))
                .hasMessageContaining("VM \"b\" shares no memory");
    }
}
