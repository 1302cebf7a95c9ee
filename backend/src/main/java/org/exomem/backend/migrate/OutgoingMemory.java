package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.vm.GuestView;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.GuestRamFile;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.linux.SharedFile;
import org.exomem.migration.CancelToken;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.DescriptorSource;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FeedSource;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.HoleSource;
import org.exomem.migration.precopy.MigrationSource;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.pages.FreeReason;

/**
 * The memory of a running guest that leaves, or of which a copy is made: its pages, and what the VM's devices and its VMM
 * know of them. Used by the task's thread only.
 */
public final class OutgoingMemory implements AutoCloseable {
    private final VirtualMachine vm;
    private final QmpVmm vmm;
    private final MemoryImage image;
    private final OutgoingGuest guest;
    private final GuestView view;

    /** A condition that must hold before the guest is asked to do work. */
    public interface First {
        void expect() throws IOException;
    }

    private OutgoingMemory(VirtualMachine vm, QmpVmm vmm, MemoryImage image, OutgoingGuest guest, GuestView view) {
        this.vm = vm;
        this.vmm = vmm;
        this.image = image;
        this.guest = guest;
        this.view = view;
    }

    /**
     * Opens the memory of a guest.
     *
     * @param ram the files of the memory
     * @throws IOException if one can't be opened
     */
    public static MemoryImage image(List<GuestRamFile> ram) throws IOException {
        List<ImageFile> files = new ArrayList<>();
        try {
            for (GuestRamFile file : ram) {
                files.add(new ImageFile(file.id(), SharedFile.open(file.path())));
            }
            return new MemoryImage(files);
        } catch (IOException | RuntimeException e) {
            files.forEach(ImageFile::close);
            throw e;
        }
    }

    /** Describes the memory for the other end. */
    public static MemoryDescription description(MemoryImage image) {
        List<MemoryDescription.MemoryFile> files = new ArrayList<>();
        for (ImageFile file : image.files()) {
            files.add(new MemoryDescription.MemoryFile(
                    file.name(), file.size(), file.file().pageSize()));
        }
        return new MemoryDescription(image.pageSize(), files);
    }

    /**
     * Asks the VM's devices for their knowledge of the guest's pages, until this is closed.
     *
     * @param image remains the caller's
     * @throws IOException if the VMM has not mapped the image's files
     */
    public static OutgoingMemory show(VirtualMachine vm, QmpVmm vmm, MemoryImage image, OutgoingGuest guest)
            throws IOException {
        try {
            OutgoingMemory memory =
                    new OutgoingMemory(vm, vmm, image, guest, vm.show(image).join());
            try {
                memory.expectMapped();
                return memory;
            } catch (IOException | RuntimeException e) {
                memory.close();
                throw e;
            }
        } catch (CompletionException e) {
            throw new IOException(
                    "the memory of VM \"" + vm.name() + "\" can't be examined: " + OutgoingGuest.reason(e), e);
        }
    }

    /** Checks the files in the VMM's process, if no device knows the guest's memory. */
    private void expectMapped() throws IOException {
        if (!view.addresses().ranges().isEmpty()) {
            return;
        }
        for (ImageFile file : image.files()) {
            vmm.expectMapped(file.name(), file.file());
        }
    }

    /** The addresses of the pages in the guest. */
    public AddressMap addresses() {
        return view.addresses();
    }

    /** The requested logical size of the VM in bytes, if it is not the whole. */
    public OptionalLong target() {
        return view.target();
    }

    /**
     * Begins to track the guest's writes.
     *
     * @param wanted the way, if not the one that is configured for the VM
     * @param found receives the way, and receives it again when it changes
     * @throws IOException if the wanted way is not possible, or the VMM has ended
     */
    public GuestWrites writes(Optional<WritesChoice> wanted, Consumer<GuestWrites.Found> found) throws IOException {
        return GuestWrites.begin(vm.name(), vmm, image, view, wanted.orElseGet(vm::vmmWrites), found);
    }

    /**
     * Selects how the guest is asked which pages it does not need.
     *
     * @param first is called before the guest is asked to clear memory, and fails if the guest must not do that
     * @throws IOException if {@code first} fails, or the guest's memory can't be read
     */
    public HintSessions hints(HintsChoice wanted, First first, CancelToken cancel) throws IOException {
        return switch (wanted) {
            case NONE -> HintSessions.NONE;
            case BITMAP -> guest.bitmaps();
            case HINT -> worthHints(first, cancel) ? guest.hints() : HintSessions.NONE;
            case AUTO -> {
                if (guest.givesBitmaps()) {
                    yield guest.bitmaps();
                }
                yield worthHints(first, cancel) ? guest.hints() : HintSessions.NONE;
            }
        };
    }

    private boolean worthHints(First first, CancelToken cancel) throws IOException {
        first.expect();
        return HintBenefit.isExpected(vm, image)
                && !ClearedFirst.run(image, guest.driver(), ClearedFirst.Time.REAL, cancel);
    }

    /**
     * True if the guest's page descriptors are read at the pause in place of hints: hints need a log of writes (MIG-SETTLE).
     */
    public boolean settles(HintsChoice wanted, GuestWrites writes) {
        boolean asked = wanted == HintsChoice.AUTO || wanted == HintsChoice.BITMAP;
        return asked
                && writes.sources().stream().anyMatch(DirtySource::isBlind)
                && !guest.descriptors().get().isEmpty();
    }

    /**
     * Returns the source of the migration engine.
     *
     * @param settles whether the guest's page descriptors are read in place of hints
     */
    public MigrationSource source(GuestWrites writes, HintSessions hints, boolean settles) {
        return new MigrationSource(
                image,
                writes.sources(),
                List.of(
                        new HoleSource(image),
                        new FeedSource(FreeReason.UNPLUGGED, view.blocks(), view.addresses(), image.pages()),
                        new FeedSource(FreeReason.BALLOON, view.balloon(), view.addresses(), image.pages()),
                        settles
                                ? new DescriptorSource(image, view.addresses(), guest.descriptors())
                                : new FeedSource(FreeReason.HINTED, view.hints(), view.addresses(), image.pages())),
                settles ? HintSessions.NONE : hints,
                guest);
    }

    @Override
    public void close() {
        view.close();
    }
}
