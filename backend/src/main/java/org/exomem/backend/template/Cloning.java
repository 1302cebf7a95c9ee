package org.exomem.backend.template;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.launch.VmmLaunch;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.migrate.StartedGuest;
import org.exomem.backend.template.WaitingVmms.Waiting;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.cli.text.FileFault;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamFiles;

/**
 * Starts clones of a template. Each VMM maps the template's RAM files privately, so that all clones and the template share
 * every page that they do not write (IMG-CLONE-1). The VMMs are started by this process, and continue without it. For one
 * thread.
 */
public final class Cloning {
    /** How many VMMs start in parallel: enough to keep the processors busy while some of them wait. */
    private static final int AT_ONCE = 2 * Runtime.getRuntime().availableProcessors();

    private final String template;
    private final ImageFolder image;
    private final CloneOptions options;
    private final VmmCommandLine line;
    private final CloneRam ram;
    /** Why the VMMs can't be attached to; empty while that is unknown. */
    private volatile String cannotAttach = "";

    /**
     * @param template the template's name, with which the clones' names begin
     * @param image the template, which was checked
     */
    public Cloning(String template, ImageFolder image, CloneOptions options) {
        this.template = template;
        this.image = image;
        this.options = options;
        this.line = line();
        this.ram = new CloneRam(image);
    }

    private VmmCommandLine line() {
        VmmCommandLine changed = VmmCommandLine.of(image.manifest().vmm().command());
        if (options.program().isPresent()) {
            changed = changed.withProgram(options.program().get().toAbsolutePath());
        }
        return changed.withNewGenerationId();
    }

    /** Returns remarks on the clones for the operator, above all what their VMMs can't change. For people. */
    public List<String> notes() {
        List<String> notes = new ArrayList<>();
        if (!line.hasGenerationId()) {
            notes.add("the guest has no vmgenid device: all clones generate the same random numbers until they reseed"
                    + " (add -device vmgenid,guid=auto to the VM before it becomes a template)");
        }
        if (line.words().stream().anyMatch(word -> word.contains("mac="))) {
            notes.add(
                    "all clones have the MAC address of the template: give each its own network, or change the address"
                            + " in the guest");
        }
        if (!cannotAttach.isEmpty()) {
            notes.add("these clones can't be saved or become templates, because exomem can't attach to their VMMs: "
                    + cannotAttach);
        }
        notes.add("all clones have the host name, machine ID and clock of the template: change them in the guest");
        return notes;
    }

    /**
     * The result of one clone.
     *
     * @param running empty if it does not run
     * @param fault why it does not run, if it was to
     */
    public record Outcome(String name, Optional<RunningClone> running, Optional<String> fault) {}

    /**
     * Starts clones in parallel. Returns when each runs or has failed. A clone that failed leaves nothing behind. VMMs that
     * wait ({@link #prepare}), and were started with the same program and replacements, are used first (IMG-CLONE-12).
     *
     * @throws IOException if the folder can't be made
     */
    public List<Outcome> start(int count) throws IOException {
        WaitingVmms waiting = new WaitingVmms(template, image, options);
        return sideBySide(count, () -> next(waiting));
    }

    private Outcome next(WaitingVmms waiting) throws IOException {
        for (Optional<Waiting> taken = waiting.take(); taken.isPresent(); taken = waiting.take()) {
            Launched one = new Launched(taken.get().name(), taken.get().qmp(), System.nanoTime());
            QmpVmm vmm;
            try {
                vmm = connect(one);
            } catch (IOException e) {
                // It has ended since, for example at a restart of the host, or it did not answer and was ended. Others
                // may wait.
                continue;
            }
            return run(vmm, one);
        }
        Launched one = launched();
        return run(connect(one), one);
    }

    /**
     * Starts VMMs that each wait for a clone, so that a later clone does not wait for the start of its VMM.
     *
     * @throws IOException if the folder can't be made
     */
    public List<Outcome> prepare(int count) throws IOException {
        WaitingVmms waiting = new WaitingVmms(template, image, options);
        return sideBySide(count, () -> {
            Launched one = launched();
            try {
                waiting.add(new Waiting(one.name(), one.qmp()));
            } catch (IOException e) {
                discard(one, e);
                throw e;
            }
            return new Outcome(one.name(), Optional.empty(), Optional.empty());
        });
    }

    private List<Outcome> sideBySide(int count, Callable<Outcome> task) throws IOException {
        Files.createDirectories(options.folder());
        List<Outcome> outcomes = new ArrayList<>();
        try (ExecutorService workers = Executors.newFixedThreadPool(Math.min(count, AT_ONCE))) {
            List<Future<Outcome>> started = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                started.add(workers.submit(task));
            }
            for (Future<Outcome> one : started) {
                outcomes.add(outcome(one));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while clones start", e);
        }
        outcomes.sort(Comparator.comparing(Outcome::name));
        return outcomes;
    }

    private static Outcome outcome(Future<Outcome> one) throws InterruptedException {
        try {
            return one.get();
        } catch (ExecutionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            return new Outcome("", Optional.empty(), Optional.of(fault(cause)));
        }
    }

    private static String fault(Throwable cause) {
        return Stream.concat(Stream.of(cause), Stream.of(cause.getSuppressed()))
                .map(one -> one instanceof Exception e ? FileFault.text(e) : String.valueOf(one.getMessage()))
                .collect(Collectors.joining("; "));
    }

    private String name(int number) {
        return template + "-" + number;
    }

    /** Makes a new folder, so that two processes that start clones never take the same name. */
    private int reserve() throws IOException {
        for (int number = 1; ; number++) {
            try {
                Files.createDirectory(
                        options.folder().resolve(name(number)),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
                return number;
            } catch (FileAlreadyExistsException e) {
                // It belongs to another clone, which may run.
            }
        }
    }

    /**
     * A VMM that waits.
     *
     * @param begin when its start began, by {@link System#nanoTime}
     */
    private record Launched(String name, Path qmp, long begin) {}

    private Launched launched() throws IOException {
        long begin = System.nanoTime();
        int number = reserve();
        String name = name(number);
        Path folder = options.folder().resolve(name);
        VmmCommandLine own = orRemove(folder, () -> own(name, number));
        Launched one = new Launched(name, orRemove(folder, () -> qmp(own)), begin);
        if (cannotAttach.isEmpty()) {
            launch(folder, () -> ram.make(own, folder));
            if (isPut(one)) {
                return one;
            }
        }
        launch(folder, () -> withPrivateRam(own));
        return one;
    }

    @FunctionalInterface
    private interface Step<T> {
        T take() throws IOException;
    }

    private static void launch(Path folder, Step<VmmCommandLine> line) throws IOException {
        orRemove(folder, () -> {
            VmmLaunch.start(line.take(), folder);
            return folder;
        });
    }

    /** Removes the folder after a failure. No VMM runs that uses it. */
    private static <T> T orRemove(Path folder, Step<T> step) throws IOException {
        try {
            return step.take();
        } catch (IOException | RuntimeException e) {
            remove(folder);
            throw e;
        }
    }

    /** Maps the template over the VMM's RAM. If that fails, ends the VMM and returns false. */
    private boolean isPut(Launched one) throws IOException {
        Path folder = options.folder().resolve(one.name());
        try (QmpVmm vmm = connect(one)) {
            ram.put(vmm.pid(), folder);
            return true;
        } catch (UnreachableException e) {
            throw e;
        } catch (IOException e) {
            if (!hasEnded(one, e)) {
                throw e;
            }
            for (Manifest.Ram ram : image.manifest().ram()) {
                RamFiles.in(folder).remove(ram.name());
            }
            cannotAttach = String.valueOf(e.getMessage());
            return false;
        } catch (RuntimeException e) {
            discard(one, e);
            throw e;
        }
    }

    /** A VMM was started, did not answer, and was ended. */
    private static final class UnreachableException extends IOException {
        private static final long serialVersionUID = 1L;

        UnreachableException(IOException cause) {
            super(cause.getMessage(), cause);
        }
    }

    /**
     * @throws UnreachableException if the VMM does not answer; it is ended, and its files are removed, as far as possible
     */
    private QmpVmm connect(Launched one) throws UnreachableException {
        try {
            return QmpVmm.connect(one.qmp());
        } catch (IOException e) {
            UnreachableException told = new UnreachableException(e);
            discard(one, told);
            throw told;
        }
    }

    /**
     * Ends a VMM that is not needed any more, and removes its files. If it can't be ended, its folder stays, because its
     * socket is there.
     */
    private void discard(Launched one, Exception because) {
        if (hasEnded(one, because)) {
            remove(options.folder().resolve(one.name()));
        }
    }

    /**
     * Ends a VMM, if it has not ended by itself. If it may still run, returns false, and adds the reason to the exception.
     */
    private static boolean hasEnded(Launched one, Exception because) {
        try {
            QmpVmm.discard(one.qmp());
            return true;
        } catch (IOException e) {
            because.addSuppressed(new IOException("the VMM was started and could not be ended: " + e.getMessage(), e));
            return false;
        }
    }

    /** The VMM maps the template itself. It would write its RAM into its state, so such a clone can't be saved. */
    private VmmCommandLine withPrivateRam(VmmCommandLine own) {
        VmmCommandLine changed = own;
        for (Manifest.Ram one : image.manifest().ram()) {
            changed = changed.withPrivateMemory(one.name().name(), image.ram(one.name()));
        }
        return changed;
    }

    private static Path qmp(VmmCommandLine own) throws IOException {
        return own.qmp()
                .orElseThrow(
                        () -> new IOException("the template's VMM was not started with a QMP socket as an option"));
    }

    private Outcome run(QmpVmm connected, Launched launched) throws IOException {
        try (QmpVmm vmm = connected) {
            vmm.expectIncoming();
            vmm.loadState(image.state());
            if (image.manifest().running()) {
                StartedGuest.start(vmm);
            }
            Duration time = Duration.ofNanos(System.nanoTime() - launched.begin());
            return new Outcome(
                    launched.name(),
                    Optional.of(
                            new RunningClone(launched.name(), launched.qmp(), vmm.pid(), time, plugIn(vmm, launched))),
                    Optional.empty());
        } catch (IOException | RuntimeException e) {
            discard(launched, e);
            throw e;
        }
    }

    /**
     * Plugs in the devices that the template's VM had. The guest can do without them.
     *
     * @return the devices that it did not get, with the reasons
     */
    private List<String> plugIn(QmpVmm vmm, Launched launched) {
        List<String> notes = new ArrayList<>();
        Optional<CloneServing> serving = options.serving();
        if (serving.isPresent()) {
            try {
                MovedDevices devices = MovedDevices.ofImage(image.manifest());
                Path folder = options.folder().resolve(launched.name());
                devices.plugInto(
                        vmm,
                        serving.get().serve(launched.name(), folder, launched.qmp(), vmm.pid(), devices),
                        notes::add);
            } catch (IOException e) {
                notes.add("its devices could not be plugged in: " + e.getMessage());
            }
        }
        return notes;
    }

    /** The options of a VMM that shares no path with another clone. */
    private VmmCommandLine own(String name, int number) {
        Path folder = options.folder().resolve(name);
        Map<Path, Path> used = new HashMap<>();
        VmmCommandLine own = line.movingPlaces(place -> into(folder, place, used))
                .movingOutputs(output -> into(folder, output, used));
        for (Map.Entry<String, String> replacement : options.replacements().entrySet()) {
            own = own.replacing(
                    replacement.getKey(),
                    replacement
                            .getValue()
                            .replace("{n}", Integer.toString(number))
                            .replace("{name}", name));
        }
        return own;
    }

    /** Gives two files of the same name in different folders different names. */
    private static Path into(Path folder, Path place, Map<Path, Path> used) {
        return used.computeIfAbsent(place, given -> {
            Path wanted = folder.resolve(given.getFileName());
            for (int i = 2; used.containsValue(wanted); i++) {
                wanted = folder.resolve(given.getFileName() + "." + i);
            }
            return wanted;
        });
    }

    private static void remove(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            // The remains have the name of a clone that does not run. The next clone takes another name.
        }
    }
}
