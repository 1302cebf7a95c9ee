package org.exomem.backend.recipe;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.recipe.QemuRecipe.Option;

/**
 * The options of {@link QemuRecipe} as parts of a libvirt domain, which has no elements for these devices.
 *
 * @param xml a domain with only the necessary parts
 * @param notes for the user
 */
public record LibvirtRecipe(String xml, List<String> notes) {
    /** The highest slot of {@code pcie.0} that QEMU itself leaves free. libvirt uses the low ones first. */
    private static final int LAST_SLOT = 0x1e;

    private static final int KIB = 1024;

    public LibvirtRecipe {
        notes = List.copyOf(notes);
    }

    /**
     * Returns the parts for a VM.
     *
     * @throws RecipeException if the VM can't run with such parts
     * @throws IOException if the RAM files don't fit, or the file system refuses
     */
    public static LibvirtRecipe of(DeviceRecipe.Vm vm, Ram ram) throws RecipeException, IOException {
        Ram.Chosen chosen = ram.choose(vm.devices());
        RamLayout layout = chosen.layout();
        if (layout.isNuma()) {
            throw new RecipeException(
                    "exomem can't print a libvirt domain with NUMA nodes: leave out node=, or start QEMU yourself");
        }
        List<Option> options = new ArrayList<>();
        layout.below4g()
                .ifPresent(low -> options.add(new Option("-machine", "max-ram-below-4g=" + QemuRecipe.exact(low))));
        QemuRecipe.addDevices(
                options, vm.devices(), port -> ",bus=pcie.0,addr=0x" + Integer.toHexString(LAST_SLOT - port));
        vm.qmp()
                .ifPresent(socket ->
                        options.add(new Option("-qmp", "unix:" + QemuRecipe.escaped(socket) + ",server=on,wait=off")));
        List<String> notes = new ArrayList<>();
        notes.add("libvirt names the RAM file itself, below memory_backing_dir of /etc/libvirt/qemu.conf; exomem gets"
                + " the name from QEMU");
        notes.add("this domain is not tested with libvirt: libvirt does not know these devices, and may give their"
                + " addresses to others");
        layout.kernelLimit().ifPresent(limit -> notes.add(QemuRecipe.kernelNote(limit)));
        return new LibvirtRecipe(xml(vm.name(), layout, ram, options), notes);
    }

    private static String xml(String name, RamLayout layout, Ram ram, List<Option> options) {
        StringBuilder xml = new StringBuilder();
        xml.append("<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n");
        xml.append("  <name>").append(escaped(name)).append("</name>\n");
        xml.append("  <memory unit='KiB'>").append(layout.size() / KIB).append("</memory>\n");
        xml.append("  <memoryBacking>\n");
        xml.append("    <source type='")
                .append(ram.folder().isPresent() ? "file" : "memfd")
                .append("'/>\n");
        xml.append("    <access mode='")
                .append(ram.shared() ? "shared" : "private")
                .append("'/>\n");
        if (ram.preallocated()) {
            xml.append("    <allocation mode='immediate'/>\n");
        }
        xml.append("  </memoryBacking>\n");
        xml.append("  <os><type machine='q35'>hvm</type></os>\n");
        xml.append("  <devices><memballoon model='none'/></devices>\n");
        xml.append("  <qemu:commandline>\n");
        for (Option option : options) {
            xml.append("    <qemu:arg value='").append(option.name()).append("'/>");
            xml.append("<qemu:arg value='").append(escaped(option.value())).append("'/>\n");
        }
        xml.append("  </qemu:commandline>\n</domain>\n");
        return xml.toString();
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;");
    }
}
