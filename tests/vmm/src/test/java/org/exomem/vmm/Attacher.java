package org.exomem.vmm;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.process.ForeignUserfaultfd;
import org.exomem.linux.process.ProcessFd;

/**
 * A program that attaches to a process many times, and prints the longest pause of its main thread in microseconds. A
 * test can't do that itself: the JDK of the process that started the other one waits for it, and would take its stops
 * away.
 */
final class Attacher {
    private Attacher() {}

    /** @param arguments the process and the number of attachments */
    public static void main(String[] arguments) throws IOException {
        long longest = 0;
        try (ProcessFd process = ProcessFd.open(Integer.parseInt(arguments[0]))) {
            for (int i = Integer.parseInt(arguments[1]); i > 0; i--) {
                ForeignUserfaultfd.Fetched fetched = ForeignUserfaultfd.fetch(process);
                fetched.fd().close();
                longest = Math.max(longest, fetched.stopped().toNanos());
            }
        }
        System.out.println(TimeUnit.NANOSECONDS.toMicros(longest));
    }
}
