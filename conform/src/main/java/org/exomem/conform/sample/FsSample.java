package org.exomem.conform.sample;

import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/**
 * virtio-fs (5.11): begins the session with FUSE_INIT. A device answers it at any time, even repeatedly.
 *
 * <pre>
 *  0  u32 length  u32 opcode  u64 unique  u64 node  u32 uid  u32 gid  u32 pid  u32 extensions
 * 40  u32 major   u32 minor   u32 read-ahead in bytes  u32 flags
 *
 *  0  u32 length  i32 error   u64 unique
 * 16  u32 major   u32 minor   and more
 * </pre>
 */
public final class FsSample implements Sample {
    private static final int REQUEST_SIZE = 56;
    private static final int INIT = 26;
    private static final int MAJOR = 7;
    private static final int MINOR = 31;
    private static final int READ_AHEAD = 128 << 10;
    private static final int ANSWER_SIZE = 80;
    private static final int ANSWER_HEADER_SIZE = 16;

    @Override
    public String name() {
        return "virtio-fs, FUSE_INIT";
    }

    /** The first request queue: queue 0 is the high-priority queue. */
    @Override
    public int queue() {
        return 1;
    }

    @Override
    public int queues() {
        return 2;
    }

    @Override
    public Request place(AttachedDevice device) {
        GuestRam ram = device.ram();
        long request = ram.allocate(REQUEST_SIZE, Long.BYTES);
        long answer = ram.allocate(ANSWER_SIZE, Long.BYTES);
        return new Request() {
            private int unique;

            @Override
            public List<Buffer> prepare() {
                unique++;
                ram.fill(request, REQUEST_SIZE, (byte) 0);
                ram.putInt(request, REQUEST_SIZE);
                ram.putInt(request + 4, INIT);
                ram.putLong(request + 8, unique);
                ram.putInt(request + 40, MAJOR);
                ram.putInt(request + 44, MINOR);
                ram.putInt(request + 48, READ_AHEAD);
                ram.fill(answer, ANSWER_SIZE, (byte) 0xff);
                return List.of(Buffer.readable(request, REQUEST_SIZE), Buffer.writable(answer, ANSWER_SIZE));
            }

            @Override
            public long leastWritten() {
                return ANSWER_HEADER_SIZE;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                int error = memory.getInt(answer + 4);
                int answered = memory.getInt(answer + 8);
                if (error != 0 || answered != unique) {
                    throw new Unmet("FUSE_INIT number " + unique + " was answered with error " + error + " to number "
                            + Integer.toUnsignedString(answered));
                }
            }
        };
    }
}
