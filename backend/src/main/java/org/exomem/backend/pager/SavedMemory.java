package org.exomem.backend.pager;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pager.ImagePages;

/**
 * An image that a VM's memory comes from. While this is open the image's files are mapped, so that {@code restore --take}
 * refuses to use them up (IMG-RESTORE-5).
 *
 * @param image the folder
 * @param pages the pages of its RAM files
 */
record SavedMemory(ImageFolder image, ImagePages pages) implements AutoCloseable {
    /**
     * Opens an image.
     *
     * @param manifest the digest that its manifest must have, if it must be a certain image (PGR-IMAGE-1)
     * @throws IOException if it is not complete, or another one; the message names the wrong file
     */
    static SavedMemory open(Path folder, Optional<Sha256> manifest) throws IOException {
        ImageFolder image = ImageFolder.open(folder);
        Sha256 digest = digest(image);
        if (manifest.isPresent() && !manifest.get().equals(digest)) {
            throw new IOException("the image in " + folder + " is not the image that the VM was started from");
        }
        ImagePages pages = new ImagePages(image.manifest().ram().stream()
                .map(ram -> image.ram(ram.name()))
                .toList());
        try {
            // Checked again: a process that takes the image looks for its users after it has taken the manifest, and
            // this is a user by now.
            if (!digest(ImageFolder.open(folder)).equals(digest)) {
                throw new IOException("the image in " + folder + " was replaced while it was opened");
            }
            return new SavedMemory(image, pages);
        } catch (IOException e) {
            pages.close();
            throw e;
        }
    }

    private static Sha256 digest(ImageFolder image) {
        return Sha256.of(image.manifestBytes());
    }

    /** The digest of the manifest. */
    Sha256 digest() {
        return digest(image);
    }

    /** The VMM's names of its memory, in the order of the files. */
    List<String> ids() {
        return image.manifest().ram().stream().map(ram -> ram.name().name()).toList();
    }

    /** @throws IOException if the VMM's memory has other sizes */
    void expectFits(MemoryImage memory) throws IOException {
        if (memory.files().size() != image.manifest().ram().size()) {
            throw new IOException("the VMM has " + memory.files().size() + " memory files, the image has "
                    + image.manifest().ram().size());
        }
        for (int i = 0; i < memory.files().size(); i++) {
            Manifest.Ram ram = image.manifest().ram().get(i);
            long size = memory.files().get(i).size();
            if (pages.sizes().get(i) != size) {
                throw new IOException("the memory \"" + ram.name().name() + "\" of the VMM has " + size
                        + " bytes, the one of the image has " + pages.sizes().get(i));
            }
        }
    }

    @Override
    public void close() {
        pages.close();
    }
}
