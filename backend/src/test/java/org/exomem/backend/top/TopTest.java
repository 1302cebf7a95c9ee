package org.exomem.backend.top;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.top.TopScreen.Key;
import org.exomem.conformance.guest.BalloonDriver;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.impl.LineDisciplineTerminal;
import org.jline.utils.AttributedString;
import org.jline.utils.NonBlocking;
import org.jline.utils.NonBlockingReader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code exomem top}: its display of a process that serves in this JVM, on a simulated terminal. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class TopTest {
    private static final int MIB = 1 << 20;
    private static final int COLUMNS = 143;
    private static final int ROWS = 40;

    private TestVms vms;
    private QmpClient client;
    private BalloonDriver driver;
    private TopScreen screen;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.named("alpha", "beta", "gamma");
        client = QmpClient.connect(vms.control());
        driver = vms.attach("beta");
        screen = new TopScreen(client, false);
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        vms.close();
    }

    private String seen() throws IOException {
        screen.look(COLUMNS, ROWS);
        return text(screen.draw(COLUMNS, ROWS, true));
    }

    private static String text(List<AttributedString> lines) {
        return lines.stream().map(line -> line.toString().stripTrailing()).collect(Collectors.joining("\n", "", "\n"));
    }

    @Test
    void allVmsAreShownWithTheirSizesAndTheArrowsChooseOne() throws Exception {
        driver.inflate(16 * MIB, 16 * MIB);
        driver.writeActual(16 * MIB / 4096);
        await().until(() -> seen().contains("48 MiB"));
        assertThat(seen())
                .contains("exomem  3 VMs  memory 64 MiB  guests have 48 MiB")
                .contains("▸ alpha")
                .contains("waiting for its VMM")
                .containsPattern("  beta +█*BBBB░* +64 MiB +48 MiB ");
        assertThat(screen.press(Key.DOWN)).isTrue();
        assertThat(seen()).contains("▸ beta");
        screen.press(Key.DOWN);
        screen.press(Key.DOWN);
        assertThat(seen()).contains("▸ gamma");
        screen.press(Key.UP);
        assertThat(seen()).contains("▸ beta", "  gamma");
        assertThat(screen.press(Key.QUIT)).isFalse();
    }

    @Test
    void oneVmIsOpenedZoomedMovedAndClosed() throws Exception {
        screen.look(COLUMNS, ROWS);
        driver.inflate(16 * MIB, 16 * MIB);
        screen.press(Key.DOWN);
        screen.press(Key.ENTER);
        String all = seen();
        assertThat(all).startsWith("beta  0x0 – 0x4000000  64 MiB in cells of ");
        assertThat(all).contains("BBBBBBBB").contains("B in the balloon").contains("16 MiB");
        screen.press(Key.PLUS);
        assertThat(seen()).startsWith("beta  0x1800000 – 0x2800000  16 MiB in cells of ");
        screen.press(Key.LEFT);
        assertThat(seen()).startsWith("beta  0x1600000 – 0x2600000");
        for (int i = 0; i < 4; i++) {
            screen.press(Key.UP);
            seen();
        }
        assertThat(seen()).startsWith("beta  0x0 – 0x1000000");
        for (int i = 0; i < 20; i++) {
            screen.press(Key.DOWN);
            seen();
        }
        assertThat(seen()).startsWith("beta  0x3000000 – 0x4000000");
        screen.press(Key.MINUS);
        assertThat(seen()).startsWith("beta  0x0 – 0x4000000");
        for (int i = 0; i < 20; i++) {
            screen.press(Key.PLUS);
            seen();
        }
        // 64 pages: there is no smaller range.
        assertThat(seen()).contains("  256 KiB in cells of 4 KiB");
        screen.press(Key.HOME);
        assertThat(seen()).startsWith("beta  0x0 – 0x4000000");
        screen.press(Key.BACK);
        assertThat(seen()).contains("▸ beta");
    }

    @Test
    void aVmWithoutAGuestHasNoMapAndOneThatGoesIsLeft() throws Exception {
        screen.open("alpha");
        assertThat(seen()).startsWith("alpha\n").contains("shares no memory");
        // There is nothing to zoom.
        assertThat(screen.press(Key.PLUS)).isTrue();
        client.execute("vm-remove", Json.object().put("vm", "alpha"));
        assertThat(seen()).contains("2 VMs", "▸ beta");
        screen.open("nobody");
        assertThat(seen()).contains("▸ beta");
    }

    @Test
    void whereNoVmIsServedItSaysHowOneIs() throws Exception {
        driver.close();
        await().untilAsserted(() -> assertThat(client.execute("query-vms", Json.object())
                        .path(1)
                        .path("connected")
                        .asBoolean())
                .isFalse());
        for (String vm : List.of("alpha", "beta", "gamma")) {
            client.execute("vm-remove", Json.object().put("vm", vm));
        }
        assertThat(seen()).contains("exomem  0 VMs", "\"exomem add\" serves one");
        for (Key key : Key.values()) {
            if (key != Key.QUIT) {
                assertThat(screen.press(key)).as("%s", key).isTrue();
                assertThat(seen()).as("%s", key).contains("0 VMs");
            }
        }
    }

    @Test
    void noPictureIsWiderOrHigherThanItsTerminal() throws Exception {
        for (boolean open : new boolean[] {false, true}) {
            screen = new TopScreen(client, true);
            screen.look(COLUMNS, ROWS);
            if (open) {
                screen.open("beta");
            }
            for (int columns : new int[] {1, 2, 10, 16, 20, 31, 40, 80, 200, 1000}) {
                for (int rows : new int[] {1, 2, 3, 5, 8, 24, 100}) {
                    screen.look(columns, rows);
                    List<AttributedString> lines = screen.draw(columns, rows, true);
                    assertThat(lines).hasSizeLessThanOrEqualTo(rows).allMatch(line -> line.columnLength() <= columns);
                }
            }
        }
        // A narrow terminal also shows all cells of a line.
        screen = new TopScreen(client, false);
        screen.open("beta");
        screen.look(24, ROWS);
        assertThat(text(screen.draw(24, ROWS, true))).containsPattern("(?m)^ +0 B  [#.]{8}$");
    }

    @ParameterizedTest
    @CsvSource({
        "q, QUIT",
        "Q, QUIT",
        "'\u0003', QUIT",
        "'\u0004', QUIT",
        "'\r', ENTER",
        "'\n', ENTER",
        "'\u007f', BACK",
        "+, PLUS",
        "=, PLUS",
        "-, MINUS",
        "0, HOME",
        "k, UP",
        "j, DOWN",
        "h, LEFT",
        "l, RIGHT",
        "x, OTHER",
        "é, OTHER",
        "'\u001b', BACK",
        "'\u001b[A', UP",
        "'\u001b[B', DOWN",
        "'\u001b[C', RIGHT",
        "'\u001b[D', LEFT",
        "'\u001bOA', UP",
        "'\u001bOD', LEFT",
        "'\u001b[H', HOME",
        "'\u001b[1~', HOME",
        "'\u001b[7~', HOME",
        "'\u001b[3~', OTHER",
        "'\u001b[1;5C', RIGHT",
        "'\u001b[999999999999999999999', OTHER",
        "'\u001bx', BACK",
        "'', QUIT"
    })
    void keysAreWhatTerminalsSendForThem(String sent, Key key) throws Exception {
        try (NonBlockingReader reader = NonBlocking.nonBlocking("test", new java.io.StringReader(sent))) {
            assertThat(new Keys(reader).next(Duration.ofSeconds(30))).isEqualTo(Optional.of(key));
        }
    }

    /** A terminal of this test, on which {@code top} runs. */
    private final class Shown implements AutoCloseable {
        final ByteArrayOutputStream drawn = new ByteArrayOutputStream();
        final LineDisciplineTerminal terminal;
        final Attributes before;
        final CompletableFuture<Void> end = new CompletableFuture<>();

        Shown(String type) throws IOException {
            terminal = new LineDisciplineTerminal("test", type, drawn, StandardCharsets.UTF_8);
            terminal.setSize(new Size(COLUMNS, ROWS));
            before = new Attributes(terminal.getAttributes());
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    new TopTerminal(terminal, screen).run();
                    end.complete(null);
                } catch (IOException | RuntimeException e) {
                    end.completeExceptionally(e);
                }
            });
        }

        void type(String keys) throws IOException {
            terminal.processInputBytes(keys.getBytes(StandardCharsets.UTF_8));
        }

        /** Waits until the text is drawn, after the output of the last call. */
        void await(String text) {
            org.awaitility.Awaitility.await()
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> plain().contains(text) || end.isDone());
            assertThat(plain()).contains(text);
            drawn.reset();
        }

        /** The output without the escape sequences for cursor and colours. */
        private String plain() {
            return drawn.toString(StandardCharsets.UTF_8).replaceAll("\u001b[\\[(][0-9;?]*[A-Za-z]", "");
        }

        @Override
        public void close() throws IOException {
            terminal.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"xterm-256color, q", "xterm-256color, '\u0003'", "vt100, q", "dumb, q"})
    void aTerminalShowsItFollowsItsSizeAndIsAsBeforeWhenItEnds(String type, String quit) throws Exception {
        try (Shown shown = new Shown(type)) {
            shown.await("3 VMs");
            shown.type("\u001b[B\r");
            // After a change of size everything is drawn, not only the changes.
            shown.terminal.setSize(new Size(60, 20));
            shown.await("in cells of 256 KiB");
            shown.terminal.setSize(new Size(COLUMNS, ROWS));
            shown.await("in cells of 32 KiB");
            shown.type(quit);
            shown.end.get(30, TimeUnit.SECONDS);
            assertThat(shown.terminal.getAttributes().toString()).isEqualTo(shown.before.toString());
            if (type.startsWith("xterm")) {
                assertThat(shown.drawn.toString(StandardCharsets.UTF_8)).contains("\u001b[?1049l");
            }
        }
    }

    @Test
    void aProcessThatGoesAwayEndsItAndTheTerminalIsAsBefore() throws Exception {
        try (Shown shown = new Shown("xterm-256color")) {
            shown.await("3 VMs");
            vms.process().close();
            assertThat(shown.end.handle((done, failure) -> failure).get(30, TimeUnit.SECONDS))
                    .isInstanceOf(IOException.class);
            assertThat(shown.terminal.getAttributes().toString()).isEqualTo(shown.before.toString());
            assertThat(shown.drawn.toString(StandardCharsets.UTF_8)).contains("\u001b[?1049l");
        }
    }

    @Test
    void aTerminalThatGoesAwayEndsIt() throws Exception {
        try (Shown shown = new Shown("xterm-256color")) {
            shown.await("3 VMs");
            shown.terminal.close();
            assertThat(shown.end.handle((done, failure) -> true).get(30, TimeUnit.SECONDS))
                    .isTrue();
        }
    }
}
