package org.exomem.vmm;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/**
 * A program that maps a part of a file and prints a line. For each byte on its standard input it writes another number
 * into each page, and prints a line.
 */
final class Scribbler {
    private static final int PAGE = 4096;

    private Scribbler() {}

    /** @param arguments the file, and offset and length of the part, in bytes */
    public static void main(String[] arguments) throws IOException {
        try (SharedFile file = SharedFile.open(Path.of(arguments[0]));
                Mapping mapping = Mapping.of(file, Long.parseLong(arguments[1]), Long.parseLong(arguments[2]))) {
            System.out.println("mapped");
            for (long number = 1; System.in.read() >= 0; number++) {
                for (long at = 0; at < mapping.segment().byteSize(); at += PAGE) {
                    mapping.segment().set(JAVA_LONG, at + (at / PAGE & 0x1f8), number);
                }
                System.out.println(number);
            }
        }
    }
}
