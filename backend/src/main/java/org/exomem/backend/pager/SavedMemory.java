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
 * An image from which a VM's memory comes. As long as its files are open here they are mapped, by which {@code restore --take} knows that
 * it must not be used up (IMG-RESTORE-5).
 *
 * @param image what it holds
 * @param pages what its RAM files hold
 */
record SavedMemory(ImageFolder image, ImagePages pages) implements AutoCloseable {
    /**
     * Opens an image.
     *
     * @param manifest the digest of its manifest, if it has to be a certain one (PGR-IMAGE-1)
     * @throws IOException if it is not there whole, or another one; says which file is wrong
     */
    static SavedMemory open(Path folder, Optional<Sha256> manifest) throws IOException {
        ImageFolder image = ImageFolder.open(folder);
        Sha256 digest = digest(image);
        if (manifest.isPresent() && !manifest.get().equals(digest)) {
            throw new IOException("the image in " + folder + " is another one than the one that the VM began with");
        }
        ImagePages pages = new ImagePages(image.manifest().ram().stream()
                .map(ram -> image.ram(ram.name()))
                .toList());
        try {
            // Once more: whoever takes the image looks for its users after that, and this is one by now.
            if (!digest(ImageFolder.open(folder)).equals(digest)) {
                throw new IOException("the image in " + folder + " was replaced just now");
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

    /** The names that the VMM has for its memory, in the order of the files. */
    List<String> ids() {
        return image.manifest().ram().stream().map(ram -> ram.name().name()).toList();
    }

    /** @throws IOException if a VMM's memory has other sizes */
    void expectFits(MemoryImage memory) throws IOException {
        if (memory.files().size() != image.manifest().ram().size()) {
            throw new IOException("the memory of the VMM has " + memory.files().size() + " parts, that of the image "
                    + image.manifest().ram().size());
        }
        for (int i = 0; i < memory.files().size(); i++) {
            Manifest.Ram ram = image.manifest().ram().get(i);
            long size = memory.files().get(i).size();
            if (pages.sizes().get(i) != size) {
                throw new IOException("the memory \"" + ram.name().name() + "\" of the VMM has " + size
                        + " bytes, that of the image " + pages.sizes().get(i));
            }
        }
    }

    @Override
    public void close() {
        pages.close();
    }
}
