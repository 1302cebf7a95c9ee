package org.exomem.pages;

/**
 * The unit of everything that exomem counts in pages: 4096 bytes, whatever the page sizes of guest and host. VIRTIO's
 * balloon, vhost-user's log, the engine and all files of exomem use it. Page p of guest memory begins at guest address 4096
 * p. (The unit that the host's kernel can give back is a property of a file: {@link org.exomem.linux.SharedFile#pageSize}.)
 */
public final class Pages {
    /** The binary logarithm of {@link #SIZE}. */
    public static final int SHIFT = 12;

    /** The bytes of a page. */
    public static final int SIZE = 1 << SHIFT;

    private Pages() {}

    /** The bytes of a number of pages; the address at which page {@code pages} begins. */
    public static long bytes(long pages) {
        return pages << SHIFT;
    }

    /** The whole pages in a number of bytes; the page of an address. The argument is unsigned. */
    public static long floor(long bytes) {
        return bytes >>> SHIFT;
    }

    /** The pages that a number of bytes needs; the first page at or after an address. The argument is unsigned. */
    public static long ceil(long bytes) {
        return floor(bytes) + (isWhole(bytes) ? 0 : 1);
    }

    /** True if the bytes are whole pages, or a page begins at this address. */
    public static boolean isWhole(long bytes) {
        return (bytes & (SIZE - 1)) == 0;
    }
}
