package org.exomem.demo.guest;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A guest in a process of its own: a real memfd, a real socket, real eventfds, without a VMM. It executes commands step
 * by step, because some steps also need the operator's side of the back-end, which another process controls.
 *
 * <p>Usage: {@code DemoGuest SOCKET [MEMORY-MIB [SOCKET-OF-MEMORY-DEVICE]]}. It reads commands from standard input, one
 * on a line, and answers each with one line on standard output:
 *
 * <pre>
 * ok COMMAND key=value … | TEXT        it worked; TEXT says for people what was measured
 * error COMMAND | TEXT                 it did not, and why; the process then ends with exit code 1
 * </pre>
 *
 * The commands, in the order of a guest's life (sizes are bytes, pages have 4 KiB):
 *
 * <pre>
 * attach              connects, negotiates, shares the memory, starts the rings
 * fill                writes all memory that the guest can spare, so that the host holds it
 * follow              waits until the device's target changes, and inflates or deflates to it
 * statistics          waits until the device asks for statistics, and sends them
 * hint                waits until the device starts a hint session, and hints the memory that it can spare
 * hints-done          waits until the device releases the hinted pages
 * report              reports the memory that it can spare as free
 * attach-memory       connects to the memory device too
 * resize              waits until it asks for another size, plugs or unplugs, and writes what is new
 * practise            gives a plugged block back and takes it again, many times
 * quit                leaves; so does the end of the input
 * </pre>
 */
public final class DemoGuest {
    private static final long DEFAULT_MIB = 512;

    private DemoGuest() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 3) {
            System.err.println("usage: DemoGuest SOCKET [MEMORY-MIB [SOCKET-OF-MEMORY-DEVICE]]");
            System.exit(2);
        }
        long mib = arguments.length >= 2 ? Long.parseLong(arguments[1]) : DEFAULT_MIB;
        Path memoryDevice = arguments.length == 3 ? Path.of(arguments[2]) : null;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.exit(run(Path.of(arguments[0]), mib << 20, memoryDevice, commands, answers) ? 0 : 1);
    }

    /** Executes commands until one fails or the input ends. Returns whether all succeeded. */
    static boolean run(
            Path socket, long memory, @Nullable Path memoryDevice, BufferedReader commands, PrintStream answers)
            throws IOException {
        try (DemoLife life = new DemoLife(socket, memory, memoryDevice)) {
            while (true) {
                String command = commands.readLine();
                if (command == null || command.equals("quit")) {
                    return true;
                }
                try {
                    answers.println("ok " + command + " " + life.step(command));
                } catch (IOException | IllegalStateException | IllegalArgumentException e) {
                    answers.println("error " + command + " | " + e.getMessage());
                    return false;
                }
            }
        }
    }
}
