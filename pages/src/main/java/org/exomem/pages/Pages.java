package org.exomem.pages;

/**
 * The page of everything that exomem counts in pages: of 4096 bytes, whatever pages the guest and the host use. VIRTIO's
 * balloon, the log of vhost-user, the engine and all files of exomem share this unit. Page p of guest memory has the guest
 * addresses from 4096 p on. (What the host's kernel can give back is a property of a file:
 * {@link org.exomem.linux.SharedFile#pageSize}.)
 */
public final class Pages {
    /** The binary logarithm of {@link #SIZE}. */
    public static final int SHIFT = 12;

    /** The bytes of a page. */
    public static final int SIZE = 1 << SHIFT;

    private Pages() {}

    /** The bytes of so many pages; the address at which page {@code pages} begins. */
    public static long bytes(long pages) {
        return pages << SHIFT;
    }

    /** The whole pages in so many bytes; the page in which an address lies. Takes bytes as an unsigned number. */
    public static long floor(long bytes) {
        return bytes >>> SHIFT;
    }

    /** The pages that so many bytes need; the first page at or behind an address. Takes bytes as an unsigned number. */
    public static long ceil(long bytes) {
        return floor(bytes) + (isWhole(bytes) ? 0 : 1);
    }

    /** True if so many bytes are whole pages, or a page begins at this address. */
    public static boolean isWhole(long bytes) {
        return (bytes & (SIZE - 1)) == 0;
    }
}
