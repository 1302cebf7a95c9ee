package org.exomem.backend.vmm;

import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.Userfaultfd.Feature;
import org.exomem.linux.Userfaultfd.Mode;
import org.exomem.migration.pager.VmmMemory;

/**
 * A program that has a file mapped like a VMM its guest's memory. The last of three userfaultfds watches it: two are
 * unused, as an exomem leaves them that is killed early, and one is a pager's or another program's. The program then
 * prints a line, and waits until it is told to end.
 */
final class WatchedProgram {
    private WatchedProgram() {}

    /** @param arguments the file, and "pager" or "other" */
    public static void main(String[] arguments) throws IOException {
        boolean pager = arguments[1].equals("pager");
        Set<Feature> features = pager ? VmmMemory.FEATURES : EnumSet.of(Feature.WRITE_PROTECT_SHARED);
        try (SharedFile file = SharedFile.open(Path.of(arguments[0]));
                Mapping mapping = Mapping.of(file, 0, file.size());
                Userfaultfd first = Userfaultfd.of(Userfaultfd.make(), VmmMemory.FEATURES);
                Userfaultfd second = Userfaultfd.of(Userfaultfd.make(), VmmMemory.FEATURES);
                Userfaultfd third = Userfaultfd.of(Userfaultfd.make(), features)) {
            third.register(
                    mapping.segment().address(), file.size(), EnumSet.of(pager ? Mode.MISSING : Mode.WRITE_PROTECT));
            System.out.println(first.fd().number() + " " + second.fd().number());
            System.in.read();
        }
    }
}
