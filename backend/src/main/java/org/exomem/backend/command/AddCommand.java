package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.DeviceArguments;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code exomem add}. */
@Command(
        name = "add",
        sortOptions = false,
        modelTransformer = DeviceOptionsFooter.class,
        description =
                "Serves more balloons and memory devices, also of new VMs, while the process runs: all that are named,"
                        + " or none. They are served until \"exomem remove\" or the end of the process.")
final class AddCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Option(
            names = ServeCommand.BALLOON,
            paramLabel = "vm=NAME,socket=PATH[,...]",
            description = "A balloon; may be given many times. See below.")
    private final List<String> balloons = new ArrayList<>();

    @Option(
            names = ServeCommand.MEM,
            paramLabel = "vm=NAME,id=ID,socket=PATH,addr=GPA,size=SIZE[,...]",
            description = "A memory device; may be given many times, also for one VM. See below.")
    private final List<String> mems = new ArrayList<>();

    @Override
    public Integer call() throws ConfigException {
        ObjectNode devices = DeviceArguments.of(balloons, mems);
        if (devices.isEmpty()) {
            throw new ConfigException("nothing to add: name a balloon (--balloon) or a memory device (--mem)");
        }
        return control.connect(session -> {
            session.execute("vm-add", devices);
            return ExitCode.OK;
        });
    }
}
