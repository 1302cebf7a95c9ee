package org.exomem.backend.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import org.exomem.backend.config.Attachment;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ConfigFile;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.control.SocketPath;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.vm.FeatureNames;
import org.exomem.balloon.BalloonOptions;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code exomem serve}. */
@Command(
        name = "serve",
        sortOptions = false,
        description =
                "Serves the balloons and memory devices of virtual machines over vhost-user, until SIGTERM or \"exomem "
                        + "quit\".",
        footerHeading = "%nThe words of a balloon (a comma in a value is written twice):%n",
        footer = {
            "  vm=NAME                  the VM's name on the control socket",
            "  socket=PATH              listens there for the VMM",
            "  connect=on               connects to the socket instead, where the VMM listens",
            "  fd=N                     uses an inherited socket instead",
            "  size=SIZE                what the VM shall have, such as 2G (default: all)",
            "  vmm-qmp=PATH             the VMM's QMP socket, for \"exomem migrate\"",
            "  stats-interval=SECONDS   asks for statistics so often (default: 0, never)",
            "  discard=on|off           returns unused pages to the host (default: on)",
            "  deflate-on-oom=on|off    a guest out of memory takes pages back (default: off)",
            "  must-tell-host=on|off    the guest tells before it reuses pages (default: on)",
            "  statistics=on|off, free-page-hint=on|off, page-poison=on|off,",
            "  free-page-reporting=on|off    offers the feature (default: on)",
            "",
            "A memory device (virtio-mem) is a range of guest memory that is not there at",
            "boot. The guest takes it, and gives it back, block by block, as \"exomem mem\"",
            "asks for. Its words:",
            "  vm=NAME                  the VM; it may have several, and a balloon",
            "  id=ID                    the device's name, such as m0",
            "  socket=PATH, connect=on, fd=N    as for a balloon",
            "  addr=GPA                 where the range starts in guest memory, such as 4G",
            "                           or 0x100000000; the VMM must share memory there",
            "  size=SIZE                how large the range is: the most that can be added",
            "  requested=SIZE           what the guest shall take from the start (default: 0);",
            "                           with --state, what was last asked for counts",
            "  block=SIZE               what is added or taken away at once: a power of two,",
            "                           no less than a page of the memory behind it",
            "                           (default: the host's transparent huge page)",
            "  node=N                   the guest's NUMA node it belongs to (default: none)",
            "  prealloc=on|off          takes host memory when a block is added (default: off)",
            "  patrol=SECONDS           looks so often whether the guest uses what it gave",
            "                           up (default: 10; 0 never looks)",
            "  violation=WHAT           what to do then: report (tell), punch (take it away",
            "                           again, and tell), stop (also ask the VMM to stop",
            "                           the guest) (default: punch)",
            "  vmm-qmp=PATH             the VMM's QMP socket, for violation=stop",
            "",
            "Examples:",
            "  exomem serve --balloon vm=web,socket=/run/web-balloon.sock",
            "  exomem serve --balloon vm=a,socket=/tmp/a,size=2G --balloon vm=b,socket=/tmp/b",
            "  exomem serve --mem vm=a,id=m0,socket=/tmp/m0,addr=4G,size=8G,requested=2G",
            "  exomem serve --config /etc/exomem.yaml"
        })
final class ServeCommand implements Callable<Integer> {
    private static final String NO_CONTROL = "none";
    private static final String NAME_BY_CONVENTION = "vm";

    @Spec
    private CommandSpec spec;

    @Option(
            names = "--balloon",
            paramLabel = "vm=NAME,socket=PATH[,...]",
            description = "A balloon; may be given many times. See below.")
    final List<String> balloons = new ArrayList<>();

    @Option(
            names = "--mem",
            paramLabel = "vm=NAME,id=ID,socket=PATH,addr=GPA,size=SIZE[,...]",
            description = "A memory device; may be given many times, also for one VM. See below.")
    final List<String> mems = new ArrayList<>();

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "YAML file: control, state, a list of balloons, and one of mems.")
    @Nullable
    Path config;

    @Option(
            names = "--control",
            paramLabel = "SOCKET",
            description = "Where to serve the control socket, or \"none\". Default: exomem.sock in "
                    + "$XDG_RUNTIME_DIR, else in /run for root, else /tmp/exomem-UID.sock.")
    @Nullable
    String control;

    @Option(
            names = "--state",
            paramLabel = "DIR",
            description = "Keeps there what is plugged and what is in the balloons, in a file for each device, so that "
                    + "exomem can end in any way, be started again, and go on. Default: kept in memory only.")
    @Nullable
    Path state;

    @Option(
            names = "--socket-path",
            paramLabel = "PATH",
            description = "A single balloon that listens there, by the conventions of vhost-user programs: "
                    + "no control socket unless --control names one.")
    @Nullable
    Path socketPath;

    @Option(names = "--fd", paramLabel = "N", description = "A single balloon on an inherited socket, likewise.")
    private @Nullable Integer fd;

    @Option(names = "--print-capabilities", description = "Prints what this back-end can do as JSON, and ends.")
    private boolean printCapabilities;

    @Override
    public Integer call() throws ConfigException, InterruptedException {
        if (printCapabilities) {
            printCapabilities(spec.commandLine().getOut());
            return ExitCode.OK;
        }
        ServeConfig wanted = wanted();
        Optional<Path> controlSocket = controlPath(wanted);
        ServeConfig checked = wanted.withControl(controlSocket).checked();
        // The signal before the first socket is there: who sees that may send it at once.
        try (BackendProcess process = new BackendProcess();
                EndOnSignal _ = EndOnSignal.after(process::close)) {
            process.start(checked, controlSocket);
            process.awaitStop();
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
        return ExitCode.OK;
    }

    private ServeConfig wanted() throws ConfigException {
        List<BalloonConfig> all = new ArrayList<>();
        for (String balloon : balloons) {
            all.add(ServeConfig.balloon(balloon));
        }
        List<MemoryConfig> allMems = new ArrayList<>();
        for (String mem : mems) {
            allMems.add(ServeConfig.mem(mem));
        }
        if (socketPath != null && fd != null) {
            throw new ConfigException("--socket-path and --fd exclude each other");
        }
        if (socketPath != null) {
            all.add(byConvention(new Attachment.Listen(socketPath.toAbsolutePath())));
        }
        if (fd != null) {
            all.add(byConvention(new Attachment.Inherited(fd)));
        }
        ServeConfig fromFile = config == null ? ServeConfig.NOTHING : ConfigFile.read(config);
        return fromFile.and(new ServeConfig(
                Optional.empty(), all, allMems, Optional.ofNullable(state).map(Path::toAbsolutePath)));
    }

    private static BalloonConfig byConvention(Attachment attachment) {
        return new BalloonConfig(
                NAME_BY_CONVENTION, attachment, BalloonOptions.defaults(), 0, OptionalLong.empty(), Optional.empty());
    }

    private Optional<Path> controlPath(ServeConfig wanted) throws ConfigException {
        if (control != null) {
            if (control.isEmpty()) {
                throw new ConfigException("--control: the path is empty; \"none\" has no control socket");
            }
            return control.equals(NO_CONTROL)
                    ? Optional.empty()
                    : Optional.of(Path.of(control).toAbsolutePath());
        }
        boolean byConvention = socketPath != null || fd != null;
        return wanted.control().or(() -> byConvention ? Optional.empty() : Optional.of(SocketPath.ofUser()));
    }

    /** As {@code VhostUserBackendCapabilities} of QEMU's vhost-user.json has it. */
    private static void printCapabilities(PrintWriter out) {
        out.println("{");
        out.println("  \"type\": \"balloon\",");
        out.println("  \"features\": [\"" + String.join("\", \"", FeatureNames.all()) + "\"]");
        out.println("}");
        out.flush();
    }
}
