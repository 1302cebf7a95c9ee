package org.exomem.images.copy;

import java.util.concurrent.atomic.LongAdder;

/** What became of a file's bytes, counted by several threads. */
final class Tally {
    final LongAdder copied = new LongAdder();
    final LongAdder zeros = new LongAdder();
    final LongAdder free = new LongAdder();
}
