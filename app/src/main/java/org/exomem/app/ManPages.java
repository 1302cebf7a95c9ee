package org.exomem.app;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.exomem.backend.command.ExomemCommand;

/** Writes the manual pages of all commands, for the packages: {@code ManPages DIR DATE}. */
public final class ManPages {
    private ManPages() {}

    public static void main(String[] arguments) throws IOException {
        Path folder = Files.createDirectories(Path.of(arguments[0]));
        ExomemCommand program = Main.program();
        for (Map.Entry<String, String> page : program.manPages(arguments[1]).entrySet()) {
            Files.writeString(folder.resolve(page.getKey() + ".1"), page.getValue());
        }
    }
}
