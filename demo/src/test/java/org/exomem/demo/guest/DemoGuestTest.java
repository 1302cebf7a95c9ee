package org.exomem.demo.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.exomem.balloon.StatisticsTag;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.conformance.BalloonBackEnd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole life of a balloon, with its guest in another process. */
class DemoGuestTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final long MIB = 1 << 20;
    private static final long MEMORY = 256 * MIB;
    private static final long OWN = 16 * MIB;
    private static final long PAGES = 128 * MIB / 4096;

    @TempDir
    Path folder;

    @Test
    void livesWithABalloonFromAttachingToReporting() throws Exception {
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("vm"));
                Guest guest = new Guest(backEnd.socket)) {
            VirtioBalloon balloon = backEnd.balloon;
            Map<String, String> attached = guest.step("attach");
            assertThat(attached).containsEntry("queues", "5").containsEntry("memory", Long.toString(MEMORY));

            long full = number(guest.step("fill"), "hostAfter");
            assertThat(full).isGreaterThanOrEqualTo(MEMORY - OWN);

            backEnd.runOnLoop(() -> balloon.setNumPages(PAGES));
            Map<String, String> inflated = guest.step("follow");
            assertThat(number(inflated, "actual")).isEqualTo(PAGES);
            assertThat(number(inflated, "hostAfter")).isEqualTo(full - PAGES * 4096);
            await().atMost(LIMIT).until(() -> backEnd.onLoop(balloon::actual) == PAGES);
            assertThat(backEnd.onLoop(balloon::pagesInBalloon)).isEqualTo(PAGES);

            backEnd.runOnLoop(() -> balloon.setNumPages(0));
            assertThat(number(guest.step("follow"), "actual")).isZero();
            await().atMost(LIMIT).until(() -> backEnd.onLoop(balloon::actual) == 0);
            assertThat(backEnd.onLoop(balloon::pagesInBalloon)).isZero();

            backEnd.runOnLoop(balloon::requestStatistics);
            guest.step("statistics");
            await().atMost(LIMIT)
                    .until(() -> backEnd.onLoop(balloon::statistics).values().size() == 16);
            assertThat(backEnd.onLoop(balloon::statistics).values())
                    .containsEntry(StatisticsTag.TOTAL_MEMORY, MEMORY)
                    .containsEntry(StatisticsTag.FREE_MEMORY, MEMORY - OWN);

            backEnd.runOnLoop(balloon::startHinting);
            assertThat(number(guest.step("hint"), "hinted")).isEqualTo(MEMORY - OWN);
            await().atMost(LIMIT).until(() -> backEnd.onLoop(balloon::freePages).hintedBytes() == MEMORY - OWN);
            backEnd.runOnLoop(balloon::finishHinting);
            guest.step("hints-done");

            Map<String, String> reported = guest.step("report");
            assertThat(number(reported, "reported")).isEqualTo(MEMORY - OWN);
            assertThat(number(reported, "hostAfter")).isLessThan(OWN);
            guest.leave();
        }
    }

    @Test
    void aStepThatFailsIsToldAndEndsTheProcessWithAnError() throws Exception {
        try (Guest guest = new Guest(folder.resolve("nobody"))) {
            assertThat(guest.answer("attach")).startsWith("error attach | ");
            assertThat(guest.exitCode()).isEqualTo(1);
        }
    }

    private static long number(Map<String, String> values, String key) {
        String value = values.get(key);
        assertThat(value).as(key).isNotNull();
        return Long.parseLong(value);
    }

    /** The guest's process and its line protocol. */
    private static final class Guest implements AutoCloseable {
        private final Process process;
        private final BufferedReader answers;

        Guest(Path socket) throws IOException {
            process = new ProcessBuilder(List.of(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-XX:+UseSerialGC",
                            "--enable-native-access=ALL-UNNAMED",
                            "-cp",
                            System.getProperty("java.class.path"),
                            DemoGuest.class.getName(),
                            socket.toString(),
                            Long.toString(MEMORY / MIB)))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            answers = process.inputReader(StandardCharsets.UTF_8);
        }

        String answer(String command) throws IOException {
            process.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().flush();
            return String.valueOf(answers.readLine());
        }

        Map<String, String> step(String command) throws IOException {
            String answer = answer(command);
            assertThat(answer).startsWith("ok " + command + " ").contains(" | ");
            Map<String, String> values = new HashMap<>();
            for (String word : answer.substring(0, answer.indexOf('|')).split(" ", -1)) {
                int equals = word.indexOf('=');
                if (equals > 0) {
                    values.put(word.substring(0, equals), word.substring(equals + 1));
                }
            }
            return values;
        }

        void leave() throws Exception {
            process.getOutputStream().close();
            assertThat(exitCode()).isZero();
        }

        int exitCode() throws InterruptedException {
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
            return process.exitValue();
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
