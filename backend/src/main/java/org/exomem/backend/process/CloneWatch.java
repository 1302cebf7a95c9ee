package org.exomem.backend.process;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.exomem.backend.template.OwnRam;
import org.exomem.backend.template.TemplateFiles;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PollSet;
import org.exomem.linux.process.ProcessFd;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches the clones whose devices are served. It reports the end of a clone's VMM (CTL-41), removes the RAM files of that
 * clone (IMG-CLONE-10), and reports changes of a template while clones run from it (IMG-CLONE-9). It has a thread while
 * there are clones. Safe for use by several threads.
 */
final class CloneWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CloneWatch.class);

    /** The time between two checks of the templates. */
    private static final Duration LOOK = Duration.ofSeconds(5);

    private final Told told;
    /** The clones by the descriptors of their VMMs, which this owns. */
    private final Map<ProcessFd, Clone> clones = new LinkedHashMap<>();
    /** Wakes the thread; present while it runs. */
    private @Nullable EventFd wake;

    private boolean closed;

    /** Called on the thread of this class, or on that of the template checks. May take long. */
    interface Told {
        /** @param vmm closed when this returns */
        void ended(ProcessFd vmm);

        /** @param why what has changed, for people */
        void templateChanged(String clone, Path template, String why);
    }

    private record Clone(List<String> vms, Optional<Template> template, OwnRam ram) {}

    private static final class Template {
        private final Path folder;
        private final TemplateFiles files;
        private Optional<String> last = Optional.empty();

        Template(Path folder, TemplateFiles files) {
            this.folder = folder;
            this.files = files;
        }
    }

    private final AtomicBoolean looking = new AtomicBoolean();

    CloneWatch(Told told) {
        this.told = told;
    }

    /**
     * Begins to watch a clone.
     *
     * @param vmm closed when it has ended, or with this
     * @param vms the names of its VMs
     * @param template the folder of its template in its present state; it is not watched if this process can't read it
     * @throws LinuxException EMFILE
     */
    void add(ProcessFd vmm, List<String> vms, Optional<Path> template) throws LinuxException {
        Optional<Template> files = template.flatMap(CloneWatch::files);
        OwnRam ram = OwnRam.of(vmm);
        try {
            add(vmm, new Clone(List.copyOf(vms), files, ram));
        } catch (LinuxException | RuntimeException e) {
            ram.close();
            throw e;
        }
    }

    private synchronized void add(ProcessFd vmm, Clone clone) throws LinuxException {
        if (closed) {
            vmm.close();
            clone.ram.close();
            return;
        }
        if (wake == null) {
            EventFd made = new EventFd();
            clones.put(vmm, clone);
            wake = made;
            Thread.ofPlatform().name("clones").daemon().start(() -> run(made));
        } else {
            clones.put(vmm, clone);
            wake.signal();
        }
    }

    private static Optional<Template> files(Path folder) {
        try {
            return Optional.of(new Template(folder, TemplateFiles.of(ImageFolder.open(folder))));
        } catch (IOException e) {
            LOG.warn("{}: exomem can't detect changes of it while clones run from it: {}", folder, e.getMessage());
            return Optional.empty();
        }
    }

    /**
     * The number of descriptors that this has: one for each clone's VMM and each of its RAM files, and one to wake the
     * thread.
     */
    synchronized int descriptors() {
        return clones.size()
                + clones.values().stream()
                        .mapToInt(clone -> clone.ram.descriptors())
                        .sum()
                + (wake == null ? 0 : 1);
    }

    private void run(EventFd signal) {
        long look = System.nanoTime() + LOOK.toNanos();
        try {
            while (true) {
                List<ProcessFd> now = still();
                if (now.isEmpty()) {
                    return;
                }
                awaitEnd(now, signal, look);
                if (System.nanoTime() - look >= 0) {
                    lookBeside();
                    look = System.nanoTime() + LOOK.toNanos();
                }
            }
        } catch (LinuxException | RuntimeException e) {
            LOG.error("clones are no longer monitored", e);
        } finally {
            leave(signal);
        }
    }

    /** Checks the templates on a thread of its own, one at a time, because a template's file system may hang. */
    private void lookBeside() {
        if (looking.compareAndSet(false, true)) {
            Thread.ofPlatform().name("templates").daemon().start(() -> {
                try {
                    lookAtTemplates();
                } finally {
                    looking.set(false);
                }
            });
        }
    }

    /** The VMMs that are watched. Empty ends this thread; the next clone starts another one. */
    private synchronized List<ProcessFd> still() {
        if (closed) {
            return List.of();
        }
        if (clones.isEmpty()) {
            wake = null;
        }
        return List.copyOf(clones.keySet());
    }

    private synchronized void leave(EventFd signal) {
        if (signal.equals(wake)) {
            wake = null;
        }
        if (closed) {
            clones.keySet().forEach(ProcessFd::close);
            clones.values().forEach(clone -> clone.ram.close());
            clones.clear();
        }
        signal.close();
    }

    private void awaitEnd(List<ProcessFd> vmms, EventFd signal, long until) throws LinuxException {
        PollSet ready =
                new PollSet(Stream.concat(Stream.of(signal.fd()), vmms.stream().map(ProcessFd::fd))
                        .toArray(Fd[]::new));
        if (!ready.await((int) Math.max(0, (until - System.nanoTime()) / 1_000_000 + 1))) {
            return;
        }
        if (ready.isReady(0)) {
            signal.drain();
        }
        for (int i = 0; i < vmms.size(); i++) {
            if (ready.isReady(i + 1)) {
                ended(vmms.get(i));
            }
        }
    }

    private void ended(ProcessFd vmm) {
        Clone clone;
        synchronized (this) {
            clone = Objects.requireNonNull(clones.remove(vmm));
        }
        LOG.info("{}: its VMM has ended, and it is no longer served", String.join(", ", clone.vms));
        try {
            told.ended(vmm);
        } catch (RuntimeException e) {
            LOG.error("{}: internal error of exomem, please report it", clone.vms, e);
        } finally {
            vmm.close();
            clone.ram.remove();
        }
    }

    private void lookAtTemplates() {
        List<Clone> now;
        synchronized (this) {
            now = List.copyOf(clones.values());
        }
        for (Clone clone : now) {
            clone.template.ifPresent(template -> {
                Optional<String> change = template.files.change();
                if (change.isPresent() && !change.equals(template.last)) {
                    String why = change.get();
                    LOG.warn(
                            "{}: its template was changed, and its memory may have changed too: {}",
                            String.join(", ", clone.vms),
                            why);
                    clone.vms.forEach(vm -> told.templateChanged(vm, template.folder, why));
                }
                template.last = change;
            });
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (wake != null) {
            wake.signal();
        }
    }
}
