package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.IgnoreSharedFile;
import org.exomem.backend.vmm.QmpVmm;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Switches off ignore-shared in a VMM where an exomem that was killed during a migration or save has left it on: such a VMM
 * leaves memory out of its transfers (VMM-22). Tries again until that succeeds. Each VM concerned has a thread. Safe for use
 * by several threads.
 */
public final class IgnoreSharedReset implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(IgnoreSharedReset.class);
    private static final Duration FIRST = Duration.ofSeconds(1);
    private static final Duration MOST = Duration.ofMinutes(1);
    private static final String RESERVED =
            "is busy: exomem is resetting a VMM setting that a killed exomem left; try again in a few seconds";

    private final Migrations migrations;
    private final Runnable released;
    private final Set<Path> underWay = ConcurrentHashMap.newKeySet();
    private final CountDownLatch closing = new CountDownLatch(1);

    /** @param released runs on any thread when a VM that was reserved is free again */
    public IgnoreSharedReset(Migrations migrations, Runnable released) {
        this.migrations = migrations;
        this.released = released;
    }

    /**
     * Looks for files that name such a VMM, and begins to reset each one on a thread of its own. Takes as long as the file
     * system does.
     *
     * @param sockets of the VM's devices
     */
    public void look(String vm, Collection<Path> sockets) {
        for (IgnoreSharedFile file : IgnoreSharedFile.left(sockets)) {
            if (!underWay.add(file.path())) {
                continue;
            }
            try {
                begin(vm, file, file.read());
            } catch (IOException e) {
                underWay.remove(file.path());
                if (file.isThere()) {
                    LOG.error("{}: its VMM may still omit memory from migrations: {}", vm, e.getMessage());
                }
            }
        }
    }

    private void begin(String vm, IgnoreSharedFile file, IgnoreSharedFile.Content content) {
        Thread.ofPlatform().daemon().name("take-back-" + vm).start(() -> {
            try {
                endAtLast(vm, file, content);
            } finally {
                underWay.remove(file.path());
            }
        });
    }

    private void endAtLast(String vm, IgnoreSharedFile file, IgnoreSharedFile.Content content) {
        Duration pause = FIRST;
        String told = "";
        while (closing.getCount() > 0 && file.isThere()) {
            try {
                end(vm, file, content);
                return;
            } catch (VirtualMachine.Refused e) {
                LOG.debug("{}: {}", file.path(), e.getMessage());
            } catch (IOException e) {
                if (!told.equals(e.getMessage())) {
                    told = String.valueOf(e.getMessage());
                    LOG.warn(
                            "{}: its VMM still omits shared memory from migrations, as a killed exomem had set it: {}",
                            vm,
                            told);
                }
            }
            try {
                closing.await(pause.toMillis(), TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
            pause = pause.multipliedBy(2).compareTo(MOST) < 0 ? pause.multipliedBy(2) : MOST;
        }
    }

    private void end(String vm, IgnoreSharedFile file, IgnoreSharedFile.Content content) throws IOException {
        if (content.pid() > 0 && ProcessHandle.of(content.pid()).isEmpty()) {
            file.delete();
            return;
        }
        // A migration of this process resets ignore-shared itself, and needs it until then.
        migrations.reserve(vm, RESERVED);
        try {
            if (file.isThere()) {
                takeBack(vm, content);
                file.delete();
            }
        } finally {
            migrations.release(vm);
            released.run();
        }
    }

    private static void takeBack(String vm, IgnoreSharedFile.Content content) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(content.qmp())) {
            boolean same = content.pid() == 0 || vmm.pid() == content.pid();
            if (same && vmm.resetIgnoreShared()) {
                LOG.warn(
                        "{}: an exomem that was killed during a migration or save had set its VMM to omit shared"
                                + " memory from migrations; this was reset",
                        vm);
            }
        }
    }

    /** Leaves the remaining resets to the next exomem. Does not wait. */
    @Override
    public void close() {
        closing.countDown();
    }
}
