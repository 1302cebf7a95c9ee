package org.exomem.migration.pagesource;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.process.ProcessFd;
import org.exomem.migration.image.MemoryImage;

/** A running {@link MappingProgram}. Closing it ends it. */
final class MappingProcess implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;
    private int userfaultfd;

    private MappingProcess(Process process) throws IOException {
        this.process = process;
        this.output = process.inputReader(StandardCharsets.UTF_8);
        this.userfaultfd = Integer.parseInt(line());
    }

    static MappingProcess start() throws IOException {
        return new MappingProcess(new ProcessBuilder(command())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    static List<String> command() {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                MappingProgram.class.getName());
    }

    int pid() {
        return (int) process.pid();
    }

    /** Watches it with the userfaultfd that it created. */
    WatchedWrites watch(MemoryImage image, boolean direct, Consumer<String> note) throws IOException {
        return WatchedWrites.begin(pid(), fetch(userfaultfd), image, direct, WatchedWrites.ANY_RATE, note);
    }

    /** The same, if it writes at most so many new pages a second. */
    WatchedWrites watch(MemoryImage image, long mostPerSecond, Consumer<String> note) throws IOException {
        return WatchedWrites.begin(pid(), fetch(userfaultfd), image, false, mostPerSecond, note);
    }

    /** The same, without regard to writes of other processes. */
    WatchedWrites watchAlone(MemoryImage image, List<WatchedWrites.FilePart> leftOut, Consumer<String> note)
            throws IOException {
        return WatchedWrites.beginAlone(pid(), fetch(userfaultfd), image, leftOut, note);
    }

    private Userfaultfd fetch(int number) throws IOException {
        try (ProcessFd itself = ProcessFd.open(pid())) {
            return Userfaultfd.of(itself.fetch(number), WatchedWrites.FEATURES);
        }
    }

    /** Makes it create another userfaultfd, and returns that. */
    Userfaultfd fetchAnother() throws IOException {
        say("another");
        Userfaultfd another = fetch(Integer.parseInt(line()));
        line();
        return another;
    }

    /** Sends a command, and returns when it is carried out. */
    void obey(Object... words) throws IOException {
        say(words);
        String answer = line();
        if (!answer.equals("done")) {
            throw new IOException(answer);
        }
    }

    /** Makes it execute the same program again, without any mapping. */
    void becomeAnew() throws IOException {
        say("anew");
        userfaultfd = Integer.parseInt(line());
    }

    /** A userfaultfd that it created, with the features for {@link #watch} enabled. */
    Userfaultfd fetch() throws IOException {
        return fetch(userfaultfd);
    }

    /** Sends a command. */
    void say(Object... words) throws IOException {
        StringBuilder text = new StringBuilder();
        for (Object word : words) {
            text.append(text.isEmpty() ? "" : " ").append(word);
        }
        process.getOutputStream().write(text.append('\n').toString().getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    /** Returns the next line of its output. */
    String line() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new IOException("the process has ended");
        }
        return line;
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
