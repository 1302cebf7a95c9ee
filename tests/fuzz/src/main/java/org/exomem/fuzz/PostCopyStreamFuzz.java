package org.exomem.fuzz;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.exomem.migration.GuestPages;
import org.exomem.migration.pager.FuzzedPlaces;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.FuzzedOwing;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.source.FuzzedOwner;
import org.exomem.migration.stream.wire.Wire;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * The stream of a post-copy migration, in both directions. An input is a script of chunks, with numbers and checksums
 * that are right unless it says otherwise. Its first bit chooses the receiver: a destination, over up to three
 * connections, or a source.
 *
 * <p>Properties of a destination: an owed page gets the content that arrives for it first, and no other page changes.
 * The guest begins only after the list of owed pages is complete. The destination reports that all pages are there if,
 * and only if, they are. A source that connects again receives all missing pages. Property of a source: every page that
 * was requested is sent once, and no other.
 */
public final class PostCopyStreamFuzz {
    private static final int PAGE = 4096;
    /** More than one word of bits, and not a whole number of words. */
    private static final int PAGES = 70;

    private static final int HEADER = 40;
    private static final int CONNECTINGS = 3;
    private static final int CHANNELS = 2;
    private static final int PAGES_CHUNK = 3;
    private static final int ZEROS = 4;
    private static final int OPEN = 8;
    private static final int STATE = 9;
    private static final int CLOSE = 10;
    private static final int END = 11;
    private static final int GO = 13;
    private static final int ALIVE = 15;
    private static final int ERROR = 16;
    private static final int HEARD = 18;
    private static final int OWED = 19;
    private static final int WANT = 20;
    private static final int ARRIVED = 21;

    private static final int[] MAIN = {OWED, OWED, OWED, OPEN, STATE, CLOSE, END, GO, ALIVE, HEARD};
    private static final int[] DATA = {PAGES_CHUNK, PAGES_CHUNK, PAGES_CHUNK, ZEROS};
    private static final int[] BACK = {WANT, WANT, WANT, WANT, OWED, OWED, ARRIVED, ALIVE, 2, 7, 12, 14, 22};

    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final MemoryDescription MEMORY =
            new MemoryDescription(PAGE, List.of(new MemoryDescription.MemoryFile("ram", PAGE * PAGES, PAGE)));

    private PostCopyStreamFuzz() {}

    public static void fuzzerTestOneInput(byte[] bytes) {
        Input input = new Input(bytes);
        if ((input.u8() & 1) == 0) {
            new Arrival(input).run();
        } else {
            new Owner(input).run();
        }
    }

    /** A destination, with a model of its behaviour. */
    private static final class Arrival {
        private final Input input;
        private final Guest guest;
        private final Said said = new Said();
        private final FuzzedOwing reception;
        /** The expected content of the owed pages of the guest's memory. */
        private final byte[] expected = new byte[PAGE * PAGES];

        private Pieces pieces = new Pieces();
        /** The pages that were promised at first; null if none were, or they are not known yet. */
        private @Nullable PageBits promised;

        private PageBits left = new PageBits(PAGES);
        private MessageDigest digest = sha256();
        /** The pages that were owed before the guest was paused, once they are listed. */
        private @Nullable PageBits listening;

        private boolean complete;
        private boolean letGo;
        private int states;
        private long offset = -1;
        /** How often the source has connected again and listed what it owes. */
        private int again;

        Arrival(Input input) {
            this.input = input;
            this.guest = new Guest(1 + input.below(4));
            this.reception = new FuzzedOwing(MEMORY, said, guest);
        }

        void run() {
            try (reception) {
                boolean goesOn = true;
                for (int i = 0; i < CONNECTINGS && goesOn; i++) {
                    goesOn = (i == 0 || comeBack()) && connecting();
                }
            }
        }

        /** Returns false if the source can't connect again. */
        private boolean connecting() {
            Script script = new Script(input, this::takeMain);
            for (int chunks = input.below(12); chunks > 0 && !script.hasEnded(); chunks--) {
                script.chunk(MAIN, this::usual);
            }
            boolean[] heard = {false};
            Incoming main = new Incoming(script.bytes(), () -> heard[0] ? new byte[0] : meanwhile(script, heard));
            String why = "";
            try {
                reception.main(main);
            } catch (IOException e) {
                why = requireReason(e);
            }
            requireState();
            BrokenRule.unless(!heard[0] || why.isEmpty(), "HEARD was not taken: " + why);
            // A fault is final until the guest is here. So is a cut after the first promise and before the list is
            // complete.
            return !heard[0] && (script.isRight() && (listening == null || complete) || letGo);
        }

        /**
         * Decodes what arrives on the other connections after the end of the main one's input, and then the rest of the
         * main one's.
         */
        private byte[] meanwhile(Script main, boolean[] heard) {
            if (!main.isRight() || main.hasEnded() || promised == null || !letGo) {
                return new byte[0];
            }
            for (int channel = 0; channel < CHANNELS; channel++) {
                Script script = new Script(input, this::takeData);
                for (int chunks = input.below(10); chunks > 0; chunks--) {
                    script.chunk(DATA, this::usual);
                }
                try {
                    reception.data(channel, new Incoming(script.bytes(), () -> new byte[0]));
                } catch (IOException e) {
                    requireReason(e);
                    if (!script.isRight()) {
                        reception.fail(e);
                        return new byte[0];
                    }
                }
            }
            if (left.isEmpty()) {
                await(reception::isDone, "all has arrived, and the destination does not know");
                await(said::hasArrived, "all has arrived, and the source is not told");
                heard[0] = true;
                main.raw(HEARD, 0, 0, new byte[0]);
                return main.bytes();
            }
            return new byte[0];
        }

        private void requireState() {
            BrokenRule.unless(guest.ready == complete, "a guest was made ready, or not, against what came");
            BrokenRule.unless(guest.started == letGo, "a guest was started, or not, against what came");
            FuzzedPlaces places = guest.places;
            BrokenRule.unless((places != null) == (promised != null), "pages are owed, or not, against what came");
            BrokenRule.unless(guest.listening == (listening != null), "a promise was taken, or not, against what came");
            if (places != null) {
                BrokenRule.unless(Arrays.equals(places.bytes(), expected), "memory does not hold what was sent");
                BrokenRule.unless(same(places.owed(), left), "other pages are owed than have not come");
                BrokenRule.unlessEqual(places.timesAgain(), again, "the times that the source has come back");
                BrokenRule.unless(
                        !said.hasArrived() || left.isEmpty() && letGo,
                        "the source was told too early that all is there");
            }
        }

        /** Returns false if the source is refused because nothing is owed any more. */
        private boolean comeBack() {
            if (letGo && (promised == null || left.isEmpty())) {
                return false;
            }
            pieces = new Pieces();
            states = 0;
            offset = -1;
            digest = sha256();
            said.clear();
            try {
                Optional<PageBits> missing = reception.comeBack(said);
                BrokenRule.unless(
                        missing.isPresent() == (promised != null), "a source was told of what is missing, or not");
                missing.ifPresent(pages ->
                        BrokenRule.unless(same(pages, left), "a source was told that other pages are missing"));
                return true;
            } catch (IOException e) {
                throw new BrokenRule("a source may not come back: " + e.getMessage());
            }
        }

        /** Pages that may be owed in addition to the promised ones. */
        private PageBits others() {
            PageBits others = new PageBits(PAGES);
            others.addAll();
            others.andNot(copy(listening));
            return others;
        }

        private void usual(int type, Chunk chunk) {
            switch (type) {
                case OPEN -> {
                    chunk.first = states;
                    chunk.payload = new byte[] {'d'};
                }
                case STATE -> {
                    chunk.first = states;
                    chunk.count = Math.max(0, offset);
                    chunk.payload = new byte[] {1, 2, 3};
                }
                case CLOSE -> {
                    chunk.first = states;
                    chunk.count = Math.max(0, offset);
                }
                case END -> chunk.payload = chained(snapshot(digest).digest());
                case OWED -> pieces.usual(input, promised != null ? left : listening != null ? others() : null, chunk);
                case PAGES_CHUNK -> {
                    run(chunk);
                    chunk.payload = content((int) chunk.count, input.u8());
                }
                case ZEROS -> run(chunk);
                default -> {}
            }
        }

        /** Chooses an owed page, if there is one. */
        private void run(Chunk chunk) {
            long from = input.below(PAGES);
            PageBits owed = promised == null ? left : promised;
            long first = owed.next(from);
            chunk.first = first < PAGES ? first : from;
            long most = 1 + input.below(4);
            chunk.count = Math.max(1, Math.min(most, owed.nextAbsent(chunk.first) - chunk.first));
        }

        /** True if the connection continues. */
        private boolean takeMain(byte[] header, int type, int flags, Chunk chunk) {
            if (flags != 0) {
                return false;
            }
            return switch (type) {
                case ALIVE -> chunk.payload.length == 0;
                case OWED -> takeOwed(header, chunk);
                case OPEN -> {
                    boolean right = offset < 0
                            && chunk.first == states
                            && !complete
                            && !isPromising()
                            && chunk.payload.length > 0
                            && chunk.payload.length < 256;
                    count(header, chunk.payload, right);
                    offset = right ? 0 : offset;
                    yield right;
                }
                case STATE -> {
                    boolean right = isNext(chunk) && chunk.payload.length > 0;
                    count(header, chunk.payload, right);
                    offset += right ? chunk.payload.length : 0;
                    yield right;
                }
                case CLOSE -> {
                    boolean right = isNext(chunk) && chunk.payload.length == 0;
                    count(header, chunk.payload, right);
                    states += right ? 1 : 0;
                    offset = right ? -1 : offset;
                    yield right;
                }
                case END -> takeEnd(chunk);
                case GO -> {
                    letGo |= complete && chunk.payload.length == 0;
                    yield complete && chunk.payload.length == 0;
                }
                default -> false;
            };
        }

        private boolean isNext(Chunk chunk) {
            return offset >= 0 && chunk.first == states && chunk.count == offset;
        }

        private boolean takeOwed(byte[] header, Chunk chunk) {
            if (offset >= 0
                    || states > 0
                    || complete && promised == null
                    || !complete && promised != null
                    || !pieces.take(chunk)) {
                return false;
            }
            count(header, chunk.payload, true);
            if (pieces.complete && !complete) {
                return takePromise();
            }
            if (pieces.complete) {
                PageBits forgotten = copy(left);
                forgotten.andNot(pieces.owed);
                PageBits more = copy(pieces.owed);
                more.andNot(copy(promised));
                if (!forgotten.isEmpty() || !more.isEmpty()) {
                    return false;
                }
                again++;
            }
            return true;
        }

        private boolean takePromise() {
            if (listening == null) {
                listening = copy(pieces.owed);
                pieces = new Pieces();
                return true;
            }
            PageBits twice = copy(pieces.owed);
            twice.and(listening);
            if (!twice.isEmpty()) {
                return false;
            }
            PageBits all = copy(pieces.owed);
            all.or(listening);
            promised = copy(all);
            left = copy(all);
            return true;
        }

        /** True while the list of owed pages has begun and is not complete. */
        private boolean isPromising() {
            return !complete && promised == null && (listening != null || pieces.begun);
        }

        private boolean takeEnd(Chunk chunk) {
            byte[] all = chained(snapshot(digest).digest());
            if (complete || offset >= 0 || isPromising() || chunk.first != 0 || !Arrays.equals(all, chunk.payload)) {
                return false;
            }
            complete = true;
            return true;
        }

        private boolean takeData(byte[] header, int type, int flags, Chunk chunk) {
            boolean inside =
                    chunk.first >= 0 && chunk.count >= 1 && chunk.count <= PAGES && chunk.first <= PAGES - chunk.count;
            if (flags != 0 || !inside || copy(promised).nextAbsent(chunk.first) < chunk.first + chunk.count) {
                return false;
            }
            boolean zeros = type == ZEROS;
            if (!zeros && type != PAGES_CHUNK || chunk.payload.length != (zeros ? 0 : chunk.count * PAGE)) {
                return false;
            }
            for (int i = 0; i < chunk.count; i++) {
                long page = chunk.first + i;
                if (!zeros && left.contains(page)) {
                    System.arraycopy(chunk.payload, i * PAGE, expected, (int) page * PAGE, PAGE);
                }
                left.remove(page);
            }
            return true;
        }

        /** Adds a record to the digest: the header, and the CRC-32 of the content. */
        private void count(byte[] header, byte[] content, boolean really) {
            if (!really) {
                return;
            }
            digest.update(header);
            CRC32 sum = new CRC32();
            sum.update(content);
            digest.update(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(content.length > 0 ? (int) sum.getValue() : 0)
                    .flip());
        }
    }

    /** A source, with a model of its behaviour. */
    private static final class Owner {
        private final Input input;
        private final PageBits promised = new PageBits(PAGES);
        private final PageBits wanted = new PageBits(PAGES);
        private final Pieces pieces = new Pieces();
        private final byte[] memory = new byte[PAGE * PAGES];
        private boolean arrived;
        private boolean answered;

        Owner(Input input) {
            this.input = input;
            long bits = input.i64();
            long more = input.u8();
            for (int page = 0; page < PAGES; page++) {
                if (((page < 64 ? bits >>> page : more >>> page - 64) & 1) != 0) {
                    promised.add(page);
                }
                if (page % 5 != 0) {
                    Arrays.fill(memory, page * PAGE, (page + 1) * PAGE, (byte) page);
                }
            }
        }

        void run() {
            Script script = new Script(input, this::take);
            for (int chunks = input.below(24); chunks > 0; chunks--) {
                script.chunk(BACK, this::usual);
            }
            CompletableFuture<Void> made = new CompletableFuture<>();
            Incoming main = new Incoming(script.bytes(), () -> new byte[0]).from(made);
            try (FuzzedOwner owner = new FuzzedOwner(MEMORY, new Memory(memory), promised, main, made)) {
                BrokenRule.unless(!owner.awaitEnd().isBlank(), "a refusal gives no reason");
                Optional<PageBits> missing = owner.missing();
                BrokenRule.unless(
                        missing.isPresent() == pieces.complete, "what is missing was taken, or not, against what came");
                missing.ifPresent(pages -> BrokenRule.unless(same(pages, pieces.owed), "other pages are missing"));
                BrokenRule.unless(owner.hasArrived() == arrived, "all has arrived, or not, against what came");
                Said sent = new Said();
                owner.sendWanted(sent, wanted.count());
                requireSent(sent.bytes());
            }
        }

        private void requireSent(byte[] sent) {
            ByteBuffer chunks = ByteBuffer.wrap(sent).order(ByteOrder.LITTLE_ENDIAN);
            PageBits came = new PageBits(PAGES);
            while (chunks.hasRemaining()) {
                int at = chunks.position();
                int type = chunks.get(at);
                int length = chunks.getInt(at + 4);
                int page = (int) chunks.getLong(at + 16);
                BrokenRule.unlessEqual(chunks.getLong(at + 24), 1, "the pages of a chunk for which somebody waits");
                byte[] content = Arrays.copyOfRange(memory, page * PAGE, (page + 1) * PAGE);
                byte[] payload = Arrays.copyOfRange(sent, at + HEADER, at + HEADER + length);
                BrokenRule.unless(
                        type == ZEROS ? page % 5 == 0 && length == 0 : Arrays.equals(payload, content),
                        "a page was sent as another than it is");
                BrokenRule.unless(!came.contains(page), "a page was sent twice");
                came.add(page);
                chunks.position(at + HEADER + length);
            }
            BrokenRule.unless(same(came, wanted), "other pages were sent than were wanted");
        }

        private void usual(int type, Chunk chunk) {
            switch (type) {
                case WANT -> {
                    chunk.first = promised.next(input.below(PAGES));
                    chunk.count = 1;
                }
                case OWED -> pieces.usual(input, promised, chunk);
                case 7 -> chunk.payload = new byte[32];
                default -> {}
            }
        }

        private boolean take(byte[] header, int type, int flags, Chunk chunk) {
            boolean empty = chunk.payload.length == 0;
            if (flags != 0) {
                return false;
            }
            return switch (type) {
                case ALIVE -> empty;
                case 2, 7, 12, 14, 22 -> {
                    boolean right = !answered && chunk.payload.length == (type == 7 ? 32 : 0);
                    answered |= right;
                    yield right;
                }
                case OWED -> pieces.take(chunk);
                case WANT -> {
                    boolean right = empty && chunk.first >= 0 && chunk.first < PAGES && promised.contains(chunk.first);
                    if (right) {
                        wanted.add(chunk.first);
                    }
                    yield right;
                }
                case ARRIVED -> {
                    arrived |= empty;
                    yield empty;
                }
                default -> false;
            };
        }
    }

    /** The content of the OWED chunks of one direction. */
    private static final class Pieces {
        private final PageBits owed = new PageBits(PAGES);
        private long behind;
        private boolean begun;
        private boolean complete;

        /** @param all the right content, if that is known */
        void usual(Input input, @Nullable PageBits all, Chunk chunk) {
            if (behind > 0) {
                chunk.first = owed.count();
                return;
            }
            chunk.count = PAGES;
            int how = input.u8();
            long low = all != null && (how & 3) != 0 ? all.word(0) : input.i64();
            long high = all != null && (how & 3) != 0 ? all.word(1) : input.u8() & (1 << PAGES - 64) - 1;
            ByteBuffer words = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
            chunk.payload = words.putLong(low).putLong(high).array();
        }

        boolean take(Chunk chunk) {
            if (complete) {
                return false;
            }
            if (chunk.count == 0 && chunk.payload.length == 0) {
                complete = chunk.first == owed.count();
                begun |= complete;
                return complete;
            }
            if (chunk.first < behind || chunk.first % 64 != 0 || chunk.count < 1 || chunk.first > PAGES - chunk.count) {
                return false;
            }
            int words = (int) (chunk.count + 63) / 64;
            if (chunk.payload.length != 8 * words) {
                return false;
            }
            ByteBuffer bits = ByteBuffer.wrap(chunk.payload).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < 64 * words; i++) {
                boolean set = (bits.getLong(i / 64 * 8) >>> i & 1) != 0;
                if (set && i >= chunk.count) {
                    return false;
                }
                if (set) {
                    owed.add(chunk.first + i);
                }
            }
            behind = chunk.first + chunk.count;
            begun = true;
            return true;
        }
    }

    /** A chunk under construction. */
    private static final class Chunk {
        private long first;
        private long count;
        private byte[] payload = new byte[0];
    }

    /** The chunks of one connection, and the number of those before the first wrong one. */
    private static final class Script {
        /** The expected effect of a chunk. */
        interface Taking {
            /** Returns true if the connection continues. */
            boolean take(byte[] header, int type, int flags, Chunk chunk);
        }

        /** The right content of a chunk. */
        interface Usual {
            void say(int type, Chunk chunk);
        }

        private final Input input;
        private final Taking taking;
        private final ByteArrayOutputStream all = new ByteArrayOutputStream();
        private long sequence;
        private boolean right = true;
        private boolean cut;

        Script(Input input, Taking taking) {
            this.input = input;
            this.taking = taking;
        }

        void chunk(int[] types, Usual usual) {
            int what = input.u8();
            int how = input.u8();
            int type = (what & 0xe0) == 0xe0 ? what & 0x1f : types[what % types.length];
            Chunk chunk = new Chunk();
            usual.say(type, chunk);
            chunk.first = (how & 1) != 0 ? input.i64() : chunk.first;
            chunk.count = (how & 2) != 0 ? (byte) input.u8() : chunk.count;
            if ((how & 4) != 0) {
                chunk.payload = changed(chunk.payload);
            }
            int flags = (how & 8) != 0 ? input.u8() : 0;
            long number = sequence + ((how & 16) != 0 ? (byte) input.u8() : 0);
            byte[] header = header(type, flags, number, chunk);
            boolean isRight = number == sequence || type == ERROR;
            if ((how & 32) != 0) {
                int at = input.u8() % HEADER;
                int bits = input.u8();
                header[at] ^= (byte) bits;
                isRight &= bits == 0;
            }
            if (right) {
                right = isRight && chunk.payload.length <= FuzzedOwing.MOST && taking.take(header, type, flags, chunk);
            }
            write(header, chunk.payload);
            if ((how & 64) != 0 && right) {
                // Within a chunk that would have been right: everything after it is not read.
                byte[] next = header(ALIVE, 0, sequence, new Chunk());
                all.write(next, 0, 1 + input.below(HEADER - 1));
                cut = true;
                right = false;
            }
        }

        private byte[] changed(byte[] payload) {
            byte[] other = Arrays.copyOf(payload, input.below(4) == 0 ? input.u16() % 512 : payload.length);
            if (other.length > 0) {
                other[input.u16() % other.length] ^= (byte) input.u8();
            }
            return other;
        }

        void raw(int type, long first, long count, byte[] payload) {
            all.reset();
            Chunk chunk = new Chunk();
            chunk.first = first;
            chunk.count = count;
            chunk.payload = payload;
            write(header(type, 0, sequence, chunk), payload);
        }

        private void write(byte[] header, byte[] payload) {
            sequence++;
            all.writeBytes(header);
            all.writeBytes(payload);
        }

        boolean isRight() {
            return right;
        }

        /** True if nothing can follow. */
        boolean hasEnded() {
            return cut;
        }

        byte[] bytes() {
            return all.toByteArray();
        }

        private static byte[] header(int type, int flags, long number, Chunk chunk) {
            byte[] header = new byte[HEADER];
            ByteBuffer bytes = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
            bytes.put((byte) type)
                    .put((byte) flags)
                    .putShort((short) 0)
                    .putInt(chunk.payload.length)
                    .putLong(number)
                    .putLong(chunk.first)
                    .putLong(chunk.count)
                    .putInt(crc32c(chunk.payload, chunk.payload.length));
            bytes.putInt(crc32c(header, 36));
            return header;
        }
    }

    private interface Look {
        boolean isSo();
    }

    private static void await(Look look, String otherwise) {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (!look.isSo()) {
            BrokenRule.unless(System.nanoTime() < end, otherwise);
            LockSupport.parkNanos(10_000);
        }
    }

    private static String requireReason(IOException e) {
        String reason = e.getMessage();
        BrokenRule.unless(reason != null && !reason.isBlank(), "a refusal gives no reason");
        return String.valueOf(reason);
    }

    private static byte[] content(int count, int seed) {
        byte[] content = new byte[count * PAGE];
        for (int i = 0; i < count; i++) {
            Arrays.fill(content, i * PAGE, (i + 1) * PAGE, (byte) (seed + i));
        }
        return content;
    }

    private static PageBits copy(@Nullable PageBits of) {
        PageBits copy = new PageBits(PAGES);
        if (of != null) {
            copy.copyOf(of);
        }
        return copy;
    }

    private static boolean same(PageBits one, PageBits other) {
        return one.word(0) == other.word(0) && one.word(1) == other.word(1);
    }

    private static byte[] chained(byte[] channel) {
        MessageDigest sha = sha256();
        sha.update(new byte[32]);
        sha.update(channel);
        return sha.digest();
    }

    private static MessageDigest snapshot(MessageDigest of) {
        try {
            return (MessageDigest) of.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    private static int crc32c(byte[] bytes, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, 0, length);
        return (int) crc.getValue();
    }

    /** A connection whose input arrives in pieces. More may follow at its end. Output is discarded. */
    private static final class Incoming extends Said {
        interface More {
            /** Empty if there is none. */
            byte[] bytes();
        }

        private ByteBuffer bytes;
        private final More more;
        private CompletableFuture<Void> from = CompletableFuture.completedFuture(null);

        Incoming(byte[] bytes, More more) {
            this.bytes = ByteBuffer.wrap(bytes);
            this.more = more;
        }

        /** Nothing arrives before {@code begin}. */
        Incoming from(CompletableFuture<Void> begin) {
            from = begin;
            return this;
        }

        @Override
        public int read(ByteBuffer into) {
            from.join();
            if (!bytes.hasRemaining()) {
                bytes = ByteBuffer.wrap(more.bytes());
                if (!bytes.hasRemaining()) {
                    return -1;
                }
            }
            int length = Math.min(into.remaining(), 1 + bytes.remaining() / 2);
            into.put(into.position(), bytes, bytes.position(), length);
            into.position(into.position() + length);
            bytes.position(bytes.position() + length);
            return length;
        }
    }

    /** A connection without input, which keeps its output. */
    private static class Said implements Wire {
        private ByteArrayOutputStream said = new ByteArrayOutputStream();

        @Override
        public synchronized void write(ByteBuffer[] sources) {
            for (ByteBuffer source : sources) {
                byte[] bytes = new byte[source.remaining()];
                source.get(bytes);
                said.writeBytes(bytes);
            }
        }

        synchronized byte[] bytes() {
            return said.toByteArray();
        }

        synchronized void clear() {
            said = new ByteArrayOutputStream();
        }

        boolean hasArrived() {
            ByteBuffer chunks = ByteBuffer.wrap(bytes()).order(ByteOrder.LITTLE_ENDIAN);
            for (int at = 0; at < chunks.limit(); at += HEADER + chunks.getInt(at + 4)) {
                if (chunks.get(at) == ARRIVED) {
                    return true;
                }
            }
            return false;
        }

        @Override
        public int read(ByteBuffer into) {
            return -1;
        }

        @Override
        public void finishWriting() {}

        @Override
        public String peer() {
            return "fuzz";
        }

        @Override
        public void close() {}
    }

    /** A source's memory. */
    private record Memory(MemorySegment content) implements GuestPages {
        Memory(byte[] content) {
            this(MemorySegment.ofArray(content));
        }

        @Override
        public long pages() {
            return PAGES;
        }

        @Override
        public int pageSize() {
            return PAGE;
        }

        @Override
        public long nextData(long from) {
            return from;
        }

        @Override
        public long nextHole(long from) {
            return PAGES;
        }

        @Override
        public void read(long first, MemorySegment into) {
            into.copyFrom(content.asSlice(first * PAGE, into.byteSize()));
        }
    }

    /** What happens to the guest. */
    private static final class Guest implements Destination {
        private final long most;
        private volatile @Nullable FuzzedPlaces places;
        private boolean listening;
        private boolean ready;
        private boolean started;

        Guest(long most) {
            this.most = most;
        }

        @Override
        public PageTarget open(MemoryDescription memory, String source) {
            throw new BrokenRule("memory was described twice");
        }

        @Override
        public OutputStream deviceState(String name) {
            return OutputStream.nullOutputStream();
        }

        @Override
        public void listening(PageBits promised) {
            BrokenRule.unless(!listening, "a guest waits twice for what is promised");
            listening = true;
        }

        @Override
        public PostCopyMemory owing(BegunMigration begun, PageBits owed, WantedPage want) {
            BrokenRule.unless(
                    listening && !ready && places == null, "pages are owed twice, or to a guest that is ready");
            FuzzedPlaces made = new FuzzedPlaces(owed, most);
            places = made;
            return made;
        }

        @Override
        public void ready(ReceivedMigration received) {
            BrokenRule.unless(!ready, "a guest was made ready twice");
            ready = true;
        }

        @Override
        public void start() {
            FuzzedPlaces owed = places;
            BrokenRule.unless(ready && !started, "a guest was started that was not ready, or twice");
            BrokenRule.unless(owed == null || !owed.isAbandoned(), "a guest was started that was given up");
            started = true;
        }

        @Override
        public void failed(IOException why) {}
    }
}
