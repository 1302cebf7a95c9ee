package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;
import org.exomem.mem.MemoryRegionPlan;

/**
 * Where the devices of all VMs keep their state: {@code VM.balloon.state} and {@code VM.ID.mem.state}. Nothing is ever
 * removed from it; a VM's state goes when the operator removes its files.
 *
 * @param path the directory
 */
public record StateDirectory(Path path) {
    /**
     * The state of a VM's balloon.
     *
     * @param hostFault is told, on the thread that uses the balloon, if there is no room for more state
     * @throws StateFileException if there is one that can't be used: in use, damaged, or another device's; or if the file
     *     system refuses
     */
    public BalloonStateFile balloon(String vm, Consumer<String> hostFault) throws IOException {
        return BalloonStateFile.open(file(name(vm) + ".balloon.state"), vm, hostFault);
    }

    /**
     * The state of one of a VM's memory devices.
     *
     * @throws StateFileException if there is one that can't be used: in use, damaged, or of another device, or one with
     *     another address, size, block size or node
     * @throws IOException if the file system refuses
     */
    public MemoryStateFile memory(String vm, String device, MemoryRegionPlan plan) throws IOException {
        return MemoryStateFile.open(file(name(vm) + "." + name(device) + ".mem.state"), vm, device, plan);
    }

    private Path file(String name) throws IOException {
        try {
            Files.createDirectories(path);
        } catch (IOException e) {
            throw StateFileException.ofDirectory(path, e);
        }
        return path.resolve(name);
    }

    /** A name as a part of a file's name: whatever could lead elsewhere, or end the part, as in a URI. */
    private static String name(String name) {
        StringBuilder safe = new StringBuilder();
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean plain = Character.isLetterOrDigit(c) || c == '-' || c == '_';
            safe.append(plain ? String.valueOf(c) : String.format(Locale.ROOT, "%%%02X", (int) c));
        }
        return safe.toString();
    }
}
