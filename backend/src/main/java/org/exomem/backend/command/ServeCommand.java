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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code exomem serve}. */
@Command(
        name = "serve",
        sortOptions = false,
        modelTransformer = DeviceOptionsFooter.class,
        description =
                "Serves the balloons and memory devices of virtual machines over vhost-user, until SIGTERM, SIGINT or"
                        + " \"exomem quit\". SIGHUP reads the --config file again.")
final class ServeCommand implements Callable<Integer> {
    static final String BALLOON = "--balloon";
    static final String MEM = "--mem";
    static final String CONFIG = "--config";
    static final String CONTROL = "--control";
    static final String STATE = "--state";
    static final String MAX_MEMORY = "--max-memory";
    static final String SOCKET_PATH = "--socket-path";
    private static final Logger LOG = LoggerFactory.getLogger(ServeCommand.class);
    private static final String FD = "--fd";
    private static final String NO_CONTROL = "none";
    private static final String NAME_BY_CONVENTION = "vm";

    @Spec
    private CommandSpec spec;

    @Option(
            names = BALLOON,
            paramLabel = "vm=NAME,socket=PATH[,...]",
            description = "A balloon; may be given many times. See below.")
    final List<String> balloons = new ArrayList<>();

    @Option(
            names = MEM,
            paramLabel = "vm=NAME,id=ID,socket=PATH,addr=GPA,size=SIZE[,...]",
            description = "A memory device; may be given many times, also for one VM. See below.")
    final List<String> mems = new ArrayList<>();

    @Option(
            names = CONFIG,
            paramLabel = "FILE",
            description = "YAML file: a list of balloons and one of mems, control, state and max-memory.")
    @Nullable
    String config;

    @Option(
            names = CONTROL,
            paramLabel = "SOCKET",
            description = "Where to serve the control socket, or \"none\". Default: exomem.sock in "
                    + "$XDG_RUNTIME_DIR, else in /run for root, else /tmp/exomem-UID.sock.")
    @Nullable
    String control;

    @Option(
            names = STATE,
            paramLabel = "DIR",
            description = "Keeps there what is plugged and what is in the balloons, in a file for each device, so that "
                    + "exomem can end in any way, be started again, and go on. The folder is made if the one above it"
                    + " exists, for this user only. Default: kept in memory only.")
    @Nullable
    String state;

    @Option(
            names = MAX_MEMORY,
            paramLabel = "SIZE",
            description =
                    "The most memory that a VM may share and that a memory device may have. Default: four times the"
                            + " RAM of this host.")
    @Nullable
    String maxMemory;

    @Option(
            names = SOCKET_PATH,
            paramLabel = "PATH",
            description = "A single balloon that listens there, by the conventions of vhost-user programs: "
                    + "no control socket unless --control names one.")
    @Nullable
    String socketPath;

    @Option(
            names = FD,
            paramLabel = "N",
            description =
                    "A single balloon on an inherited socket, likewise. If that is a connected one, the process ends"
                            + " when the VMM has gone.")
    private @Nullable Integer fd;

    @Option(names = "--print-capabilities", description = "Prints what this back-end can do as JSON, and ends.")
    private boolean printCapabilities;

    @Override
    public Integer call() throws ConfigException, InterruptedException {
        if (printCapabilities) {
            printCapabilities(spec.commandLine().getOut());
            return ExitCode.OK;
        }
        ServeConfig wanted = configured();
        Optional<Path> controlSocket = wanted.control();
        // The signals before the first socket is there: who sees that may send one at once.
        BackendProcess process = new BackendProcess();
        try (ServeSignals _ = ServeSignals.handle(process::stop, () -> reload(process));
                process) {
            process.start(wanted.checked(), controlSocket);
            LOG.info("ends: {}", process.awaitStop());
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
        return ExitCode.OK;
    }

    /** SIGHUP: what is wrong is told, and changes nothing. */
    private void reload(BackendProcess process) {
        if (config == null) {
            LOG.warn("SIGHUP: there is nothing to read again without --config; it is ignored");
            return;
        }
        try {
            LOG.info("SIGHUP: reads {} again", config);
            process.reload(configured());
        } catch (ConfigException e) {
            LOG.error("SIGHUP: nothing is changed: {}", e.getMessage());
        }
    }

    /** What options and file say now. */
    private ServeConfig configured() throws ConfigException {
        ServeConfig wanted = wanted();
        return wanted.withControl(controlPath(wanted));
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
            all.add(byConvention(new Attachment.Listen(ServeConfig.path(SOCKET_PATH, socketPath))));
        }
        if (fd != null) {
            all.add(byConvention(new Attachment.Inherited(fd)));
        }
        Optional<Path> file = path(CONFIG, config);
        ServeConfig fromFile = file.isPresent() ? ConfigFile.read(file.get()) : ServeConfig.NOTHING;
        return fromFile.and(new ServeConfig(Optional.empty(), all, allMems, path(STATE, state), limit()));
    }

    private OptionalLong limit() throws ConfigException {
        return maxMemory == null ? OptionalLong.empty() : OptionalLong.of(ServeConfig.maxMemory(maxMemory));
    }

    private static Optional<Path> path(String option, @Nullable String value) throws ConfigException {
        return value == null ? Optional.empty() : Optional.of(ServeConfig.path(option, value));
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
            return control.equals(NO_CONTROL) ? Optional.empty() : path(CONTROL, control);
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
