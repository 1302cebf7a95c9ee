package org.exomem.conform.strict.scene;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conform.strict.ring.Chain;

/** The page numbers of an inflate or deflate request: an array of le32. */
public final class PageNumbers {
    private PageNumbers() {}

    public static int[] of(Chain chain, GuestMemory memory) {
        ByteBuffer bytes = ByteBuffer.wrap(chain.bytes(memory)).order(ByteOrder.LITTLE_ENDIAN);
        int[] numbers = new int[bytes.remaining() / Integer.BYTES];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = bytes.getInt();
        }
        return numbers;
    }
}
