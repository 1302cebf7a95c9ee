package org.exomem.backend.state;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.Deaf;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;

/**
 * A process that serves a balloon and a memory device for each of many VMs, all with state files, to be killed.
 * Commands and answers are lines. The answer to a change comes when the change is complete.
 */
final class DevicesProcess implements AutoCloseable {
    static final long MIB = 1 << 20;
    static final MemoryRegionPlan PLAN = new MemoryRegionPlan(4L << 30, 256 * MIB, 2 * MIB, OptionalInt.empty());

    private final Process process;
    private final BufferedReader answers;

    /** Starts the process and waits until it serves. */
    DevicesProcess(Path state, Path sockets, int vms) throws IOException {
        process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Xshare:auto",
                        "-Xmx128m",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        DevicesProcess.class.getName(),
                        state.toString(),
                        sockets.toString(),
                        String.valueOf(vms)))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        answers = process.inputReader(StandardCharsets.UTF_8);
        if (!"ready".equals(answers.readLine())) {
            close();
            throw new IOException("the process did not start");
        }
    }

    static Path memorySocket(Path sockets, int vm) {
        return sockets.resolve(vm + ".mem");
    }

    static Path balloonSocket(Path sockets, int vm) {
        return sockets.resolve(vm + ".balloon");
    }

    /** Requests a size of a VM's memory device, in bytes. */
    void request(int vm, long bytes) throws IOException {
        ask("request " + vm + " " + bytes);
    }

    /** Requests a size of a VM's balloon, in pages. */
    void inflateTo(int vm, long pages) throws IOException {
        ask("inflate " + vm + " " + pages);
    }

    /** The pages in a VM's balloon. */
    long pagesInBalloon(int vm) throws IOException {
        return Long.parseLong(ask("pages " + vm + " 0"));
    }

    private String ask(String command) throws IOException {
        process.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
        String answer = answers.readLine();
        if (answer == null) {
            throw new IOException("the process has ended");
        }
        return answer;
    }

    /** Kills the process with SIGKILL. */
    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(1, TimeUnit.MINUTES);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws Exception {
        StateDirectory state = new StateDirectory(Path.of(arguments[0]));
        Path sockets = Path.of(arguments[1]);
        List<Devices> vms = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(arguments[2]); i++) {
            vms.add(new Devices(state, sockets, i));
        }
        System.out.println("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ", -1);
            long number = Long.parseLong(words[2]);
            System.out.println(vms.get(Integer.parseInt(words[1])).carryOut(words[0], number));
        }
        System.exit(0);
    }

    /** The devices of one VM. */
    private static final class Devices extends Deaf {
        private static final BalloonOptions OPTIONS =
                new BalloonOptions(true, false, false, false, false, false, FreePageRequests.BITMAP, true);

        private final int vm;
        private final EventLoop loop;
        private final VirtioMem memory;
        private final VirtioBalloon balloon;

        Devices(StateDirectory state, Path sockets, int vm) throws IOException {
            this.vm = vm;
            String name = "vm" + vm;
            loop = new EventLoop(name);
            // By fours: so there are all kinds of rings with devices that allocate memory at once, and with others.
            boolean preallocate = vm / 4 % 2 == 0;
            memory = new VirtioMem(state.memory(name, "dimm", PLAN).kept(), preallocate, PLAN.size() / 2, this);
            balloon = new VirtioBalloon(
                    OPTIONS, state.balloon(name, this::complain).kept(), this, new PageFeed(), loop);
            Endpoint.listen(memorySocket(sockets, vm), memory, loop, this);
            Endpoint.listen(balloonSocket(sockets, vm), balloon, loop, this);
        }

        long carryOut(String command, long number) throws Exception {
            return loop.submit(() -> switch (command) {
                        case "request" -> {
                            memory.request(number);
                            yield 0L;
                        }
                        case "inflate" -> {
                            balloon.setNumPages(number);
                            yield 0L;
                        }
                        case "pages" -> balloon.pagesInBalloon();
                        default -> throw new IllegalArgumentException(command);
                    })
                    .get(1, TimeUnit.MINUTES);
        }

        private void complain(String what) {
            System.err.println("vm" + vm + ": " + what);
        }

        @Override
        public void fault(FaultKind kind, String message) {
            complain(kind + " " + message);
        }
    }
}
