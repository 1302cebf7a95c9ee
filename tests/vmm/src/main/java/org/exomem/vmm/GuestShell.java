package org.exomem.vmm;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Runs commands in the guest, over the serial port that {@code guest/agent} listens on. One command at a time; any
 * thread may call all methods.
 */
public final class GuestShell implements AutoCloseable {

    /** The default limit of a command. */
    private static final Duration COMMAND_LIMIT = Duration.ofMinutes(2);

    /**
     * The result of a command.
     *
     * @param exitCode 0 for success
     * @param output its standard output and error
     */
    public record Result(int exitCode, String output) {}

    /** Starts the line that ends a command's output; no text contains it. */
    private static final char MARKER = '\u001e';

    private record Answer(long id, Result result) {}

    /** Marks the end of all answers and boots, when the guest has gone. */
    private static final Answer LAST_ANSWER = new Answer(-1, new Result(-1, ""));

    private static final String LAST_BOOT = "";

    private final SocketChannel channel;
    private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> boots = new LinkedBlockingQueue<>();
    private long lastId;

    private GuestShell(SocketChannel channel) {
        this.channel = channel;
    }

    /** Uses the other end of the guest's serial port. The shell takes the connection over. */
    static GuestShell over(SocketChannel channel) {
        GuestShell shell = new GuestShell(channel);
        Thread.ofVirtual().name("guest-shell").start(shell::read);
        return shell;
    }

    /**
     * Waits until the guest has booted, or has booted once more.
     *
     * @return the guest's id of this boot
     * @throws IOException if it has not booted within {@code limit}
     */
    public String awaitBoot(Duration limit) throws IOException {
        String boot = take("boot", boots, limit);
        if (boot.equals(LAST_BOOT)) {
            boots.add(boot);
            throw gone("boot");
        }
        return boot;
    }

    /** Runs a command that must succeed within two minutes, and returns its output. */
    public String run(String command) throws IOException {
        return run(command, COMMAND_LIMIT);
    }

    /**
     * Runs a command that must succeed, and returns its output.
     *
     * @param command one line for the guest's shell
     * @throws IOException if it fails, has not ended within {@code limit}, or the guest has gone
     */
    public String run(String command, Duration limit) throws IOException {
        Result result = tryRun(command, limit);
        if (result.exitCode != 0) {
            throw new IOException("guest: " + command + ": exit code " + result.exitCode + ": " + result.output);
        }
        return result.output;
    }

    /** Runs a command, and returns its result even if it fails. */
    public synchronized Result tryRun(String command, Duration limit) throws IOException {
        if (command.indexOf('\n') >= 0) {
            throw new IllegalArgumentException("a command must be one line: " + command);
        }
        long id = ++lastId;
        ByteBuffer line = ByteBuffer.wrap((id + " " + command + "\n").getBytes(StandardCharsets.UTF_8));
        while (line.hasRemaining()) {
            channel.write(line);
        }
        long deadline = System.nanoTime() + limit.toNanos();
        Answer answer;
        do {
            // An answer with another number belongs to a command that was abandoned.
            answer = take(command, answers, Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
            if (answer == LAST_ANSWER) {
                answers.add(answer);
                throw gone(command);
            }
        } while (answer.id != id);
        return answer.result;
    }

    /** Returns the guest's view of its memory. */
    public MemInfo memory() throws IOException {
        return MemInfo.parse(run("cat /proc/meminfo"));
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private void read() {
        try (BufferedReader lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
            StringBuilder output = new StringBuilder();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int marker = line.indexOf(MARKER);
                if (marker < 0) {
                    output.append(line).append('\n');
                    continue;
                }
                dispatch(
                        line.substring(marker + 1),
                        output.append(line, 0, marker).toString());
                output.setLength(0);
            }
        } catch (IOException | NumberFormatException e) {
            // The guest has gone, possibly in the middle of a line.
        }
        answers.add(LAST_ANSWER);
        boots.add(LAST_BOOT);
    }

    private static IOException gone(String what) {
        return new IOException("guest: " + what + ": the guest does not run any more");
    }

    private void dispatch(String end, String output) {
        String[] words = end.split(" ", 2);
        if (words[0].equals("ready")) {
            boots.add(words[1]);
        } else {
            answers.add(new Answer(Long.parseLong(words[0]), new Result(Integer.parseInt(words[1]), output)));
        }
    }

    private static <T> T take(String what, BlockingQueue<T> queue, Duration limit) throws IOException {
        @Nullable T taken;
        try {
            taken = queue.poll(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("guest: " + what + ": interrupted", e);
        }
        if (taken == null) {
            throw new IOException("guest: " + what + ": no answer in time");
        }
        return taken;
    }
}
