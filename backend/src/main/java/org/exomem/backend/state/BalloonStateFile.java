package org.exomem.backend.state;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.exomem.balloon.KeptBalloon;
import org.exomem.pages.BitStore;
import org.exomem.pages.BitWords;
import org.exomem.pages.CorruptBitsException;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.pages.StoredNumber;
import org.jspecify.annotations.Nullable;

/**
 * A balloon's state file: numbers in front, then its pages, as a bit store for each GiB of guest addresses in which one was
 * ever in the balloon. The file grows with them; a GiB that has no store yet is a hole, or lies behind the end.
 *
 * <pre>
 * body:
 *    0 numbers       as KeptBalloon lays them out
 *   64 incomplete    stored number, set if a page is in the balloon and not in the file
 *   72 size          stored number, signed: what the operator wants the guest to have, without what memory devices
 *                    have plugged, in pages of 4096 bytes
 *  128 chunks        bit store: which of 16384 chunks there are
 * 4096 chunk 0       bit store of 262144 bits, padded to 36864 bytes
 *      chunk 1 ...
 * </pre>
 */
public final class BalloonStateFile implements KeptState {
    private static final long INCOMPLETE = KeptBalloon.BYTES;
    private static final long SIZE = INCOMPLETE + StoredNumber.BYTES;
    private static final long CHUNKS = 128;
    private static final long FIRST_CHUNK = 4096;
    private static final long CHUNK_BYTES = BitStore.bytes(PageSet.CHUNK_PAGES);
    private static final long CHUNK_STRIDE = Pages.bytes(Pages.ceil(CHUNK_BYTES));
    /** The page numbers of a balloon have 32 bits. */
    private static final int MOST_CHUNKS = (int) ((1L << 32) / PageSet.CHUNK_PAGES);

    private final StateFile file;
    private final StoredNumber incomplete;
    private final StoredNumber size;
    private final BitStore present;
    private final KeptBalloon kept;
    private final Consumer<String> hostFault;

    /** Access to parts of the body. */
    private interface Parts {
        MemorySegment map(long offset, long length) throws IOException;
    }

    private BalloonStateFile(StateFile file, Parts parts, Consumer<String> hostFault)
            throws IOException, CorruptBitsException {
        this.file = file;
        this.hostFault = hostFault;
        MemorySegment front = parts.map(0, FIRST_CHUNK);
        this.incomplete = StoredNumber.open(front, INCOMPLETE, "the mark of an incomplete set");
        this.size = StoredNumber.open(front, SIZE, "the requested size of the guest");
        this.present = BitStore.open(front.asSlice(CHUNKS, BitStore.bytes(MOST_CHUNKS)), MOST_CHUNKS);
        Map<Integer, BitStore> chunks = new HashMap<>();
        for (int i = 0; i < MOST_CHUNKS; i++) {
            if (isPresent(i)) {
                chunks.put(i, openChunk(i, parts));
            }
        }
        PageSet pages = new PageSet(chunks, this::addChunk);
        this.kept = KeptBalloon.open(front.asSlice(0, KeptBalloon.BYTES), pages, !incomplete.isSet());
        incomplete.forget();
    }

    /** @param hostFault receives a message if there is no room for the state of a part of the guest */
    static BalloonStateFile open(Path path, String vm, Consumer<String> hostFault) throws IOException {
        StateFile file = StateFile.open(path, StateHeader.ofBalloon(vm), FIRST_CHUNK, BalloonStateFile::format);
        try {
            // First on a copy: damage that is found late must not leave a file that was already changed.
            try (Arena trial = Arena.ofConfined()) {
                new BalloonStateFile(file, (offset, length) -> file.copy(offset, length, trial), hostFault);
            }
            return new BalloonStateFile(file, file::map, hostFault);
        } catch (CorruptBitsException e) {
            file.close();
            throw StateFileException.damaged(path, String.valueOf(e.getMessage()));
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static void format(MemorySegment front) {
        KeptBalloon.format(front);
        StoredNumber.format(front, INCOMPLETE);
        StoredNumber.format(front, SIZE);
        BitStore.format(front.asSlice(CHUNKS));
    }

    private boolean isPresent(int chunk) {
        return (present.word(BitWords.index(chunk)) >>> chunk & 1) != 0;
    }

    private static BitStore openChunk(int chunk, Parts parts) throws IOException, CorruptBitsException {
        try {
            return BitStore.open(parts.map(offset(chunk), CHUNK_BYTES), PageSet.CHUNK_PAGES);
        } catch (CorruptBitsException e) {
            throw new CorruptBitsException("pages of guest addresses from " + chunk + " GiB on: " + e.getMessage());
        }
    }

    private static long offset(int chunk) {
        return FIRST_CHUNK + chunk * CHUNK_STRIDE;
    }

    private @Nullable BitStore addChunk(int chunk) {
        try {
            if (chunk >= MOST_CHUNKS) {
                throw new IOException("a balloon's pages end at 16 TiB");
            }
            file.zero(offset(chunk), CHUNK_STRIDE);
            MemorySegment bytes = file.map(offset(chunk), CHUNK_BYTES);
            BitStore.format(bytes);
            BitStore store = BitStore.open(bytes, PageSet.CHUNK_PAGES);
            // Last, so that a chunk whose bit is set has its space.
            long word = BitWords.index(chunk);
            present.setWord(word, present.word(word) | 1L << chunk);
            return store;
        } catch (IOException | CorruptBitsException e) {
            if (!incomplete.isSet()) {
                hostFault.accept(
                        "the pages in the balloon from " + chunk + " GiB on can't be stored in " + file.path() + ": "
                                + e.getMessage()
                                + ". The balloon continues; if another process takes over after this one, it counts"
                                + " no pages until the guest's driver starts again");
            }
            // STA-BAL-5
            incomplete.set(1);
            return null;
        }
    }

    /** The state for the device. Not usable after {@link #close}. */
    public KeptBalloon kept() {
        return kept;
    }

    /**
     * The operator's target without the bytes that memory devices had plugged, in bytes; may be negative. Empty if none was
     * set. So the target needs no change when the guest plugs more, and is right at any moment.
     */
    public OptionalLong size() {
        return size.isSet() ? OptionalLong.of(Pages.bytes(size.get())) : OptionalLong.empty();
    }

    /** Keeps the value for {@link #size}, rounded to pages of 4096 bytes, up to 8 TiB. */
    public void keepSize(long bytes) {
        size.set((int) Math.clamp(bytes / Pages.SIZE, Integer.MIN_VALUE, Integer.MAX_VALUE));
    }

    /** True if there was no state before. */
    public boolean isNew() {
        return file.isNew();
    }

    @Override
    public void close() {
        file.close();
    }
}
