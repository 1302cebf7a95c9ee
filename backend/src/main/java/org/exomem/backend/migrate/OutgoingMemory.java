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
 * The memory of a running guest that leaves, or of which a copy is made: its pages, and what the VM's devices and its VMM tell of
 * them. Belongs to the task's thread.
 */
public final class OutgoingMemory implements AutoCloseable {
    private final VirtualMachine vm;
    private final QmpVmm vmm;
    private final MemoryImage image;
    private final OutgoingGuest guest;
    private final GuestView view;

    /** What has to be there before a guest is asked to do work for it. */
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
     * The memory of a guest.
     *
     * @param ram the files that it is in
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

    /** What the other end has to know of it. */
    public static MemoryDescription description(MemoryImage image) {
        List<MemoryDescription.MemoryFile> files = new ArrayList<>();
        for (ImageFile file : image.files()) {
            files.add(new MemoryDescription.MemoryFile(
                    file.name(), file.size(), file.file().pageSize()));
        }
        return new MemoryDescription(image.pageSize(), files);
    }

    /**
     * Has the VM's devices tell of the guest's pages, until this is closed.
     *
     * @param image stays the caller's
     * @throws IOException if the image is not what the VMM has mapped
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
                    "the memory of VM \"" + vm.name() + "\" can't be shown: " + OutgoingGuest.reason(e), e);
        }
    }

    /** Where no device is shown the guest's memory, only the VMM's process tells whether these files are that. */
    private void expectMapped() throws IOException {
        if (!view.addresses().ranges().isEmpty()) {
            return;
        }
        for (ImageFile file : image.files()) {
            vmm.expectMapped(file.name(), file.file());
        }
    }

    /** Where the guest has its pages. */
    public AddressMap addresses() {
        return view.addresses();
    }

    /** The logical size in bytes that is wanted of the VM, if another than the whole is. */
    public OptionalLong target() {
        return view.target();
    }

    /**
     * Begins to note what the guest writes.
     *
     * @param wanted how, if not as is configured for the VM
     * @param found is told how, and again when that changes
     */
    public GuestWrites writes(Optional<WritesChoice> wanted, Consumer<GuestWrites.Found> found) throws IOException {
        return GuestWrites.begin(vm.name(), vmm, image, view, wanted.orElseGet(vm::vmmWrites), found);
    }

    /**
     * How the guest is asked which pages it does not need.
     *
     * @param first is called before the guest is asked to clear memory, and fails if that is not wanted
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

    /** True if the guest's page descriptors say at the pause what hints, without a log of writes, can't (MIG-SETTLE). */
    public boolean settles(HintsChoice wanted, GuestWrites writes) {
        boolean asked = wanted == HintsChoice.AUTO || wanted == HintsChoice.BITMAP;
        return asked
                && writes.sources().stream().anyMatch(DirtySource::isBlind)
                && !guest.descriptors().get().isEmpty();
    }

    /**
     * What the engine needs.
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
