package org.exomem.backend.migrate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.EnumSet;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.Userfaultfd.Mode;
import org.exomem.migration.pager.VmmMemory;

/**
 * A program that has a file mapped like a VMM its guest's memory, and watches it for missing pages. For each page
 * number in its input, it prints the page's first byte.
 */
final class TouchingProgram {
    private TouchingProgram() {}

    /** @param arguments the file */
    public static void main(String[] arguments) throws IOException {
        try (SharedFile file = SharedFile.open(Path.of(arguments[0]));
                Mapping mapping = Mapping.of(file, 0, file.size());
                Userfaultfd watch = Userfaultfd.of(Userfaultfd.make(), VmmMemory.FEATURES);
                BufferedReader pages = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            watch.register(mapping.segment().address(), file.size(), EnumSet.of(Mode.MISSING));
            System.out.println("ready");
            for (String line = pages.readLine(); line != null; line = pages.readLine()) {
                System.out.println(mapping.segment().get(ValueLayout.JAVA_BYTE, Long.parseLong(line) * 4096));
            }
        }
    }
}
