import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes a reproducible cache from two that differ only in the time of their creation. A cache contains the milliseconds since the host's boot, in
 * softly referenced objects. Where the two caches differ in such a number, the result has 0. The differing checksums also become 0; the JVM
 * verifies them only on request.
 *
 * <p>The path of the jar in the cache is replaced by the path of the installed jar. Otherwise the JVM would look for the build path at each start,
 * once for each class of the jar, and not find it. Additional slashes keep the length of the path.
 *
 * <pre>java SameCache.java FIRST SECOND OUTPUT JAR INSTALLED-JAR</pre>
 */
final class SameCache {
    /** No build takes longer. */
    private static final long MOST_MILLIS = 3_600_000;
    /** The size of the header, which contains the checksums of itself and of the regions. Times are after it. */
    private static final int HEADER = 4096;

    private SameCache() {}

    public static void main(String[] arguments) throws IOException {
        ByteBuffer first = read(arguments[0]);
        ByteBuffer second = read(arguments[1]);
        if (first.capacity() != second.capacity()) {
            throw new IOException("the caches differ in size: " + first.capacity() + " and " + second.capacity());
        }
        for (int at = 0; at + 8 <= first.capacity(); at += 8) {
            long a = first.getLong(at);
            long b = second.getLong(at);
            if (a == b) {
                continue;
            }
            if (at < HEADER) {
                for (int half = at; half < at + 8; half += 4) {
                    if (first.getInt(half) != second.getInt(half)) {
                        first.putInt(half, 0);
                    }
                }
            } else if (a >= 0 && b >= 0 && Math.abs(b - a) < MOST_MILLIS) {
                first.putLong(at, 0);
            } else {
                throw new IOException("the caches differ at byte " + at + ", in a value that is not a time");
            }
        }
        Files.write(Path.of(arguments[2]), installed(first.array(), arguments[3], arguments[4]));
    }

    private static byte[] installed(byte[] cache, String jar, String path) throws IOException {
        // In this charset each byte is one character, so positions in the text are positions in the cache.
        String text = new String(cache, StandardCharsets.ISO_8859_1);
        int at = text.indexOf(jar + '\0');
        if (at < 0 || text.indexOf(jar, at + 1) >= 0 || path.length() > jar.length()) {
            throw new IOException(jar + " is not exactly once in the cache, or is shorter than " + path);
        }
        int name = path.lastIndexOf('/');
        String padded = path.substring(0, name) + "/".repeat(jar.length() - path.length()) + path.substring(name);
        byte[] bytes = padded.getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(bytes, 0, cache, at, bytes.length);
        return cache;
    }

    private static ByteBuffer read(String file) throws IOException {
        return ByteBuffer.wrap(Files.readAllBytes(Path.of(file))).order(ByteOrder.LITTLE_ENDIAN);
    }
}
