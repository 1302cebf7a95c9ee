package org.exomem.backend.command;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.backend.config.Attachment;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ConfigFile;
import org.exomem.backend.config.HttpAddress;
import org.exomem.backend.config.HttpConfig;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.control.SocketPath;
import org.exomem.backend.control.Version;
import org.exomem.backend.log.Log;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.process.CompilerPriority;
import org.exomem.backend.service.Heartbeat;
import org.exomem.backend.service.ServiceManager;
import org.exomem.backend.vm.FeatureNames;
import org.exomem.balloon.BalloonOptions;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code exomem serve}. */
final class ServeCommand implements Command {
    private static final String CONFIG = "--config";
    private static final String CONTROL = "--control";
    private static final String UI = "--ui";
    private static final String UI_TLS = "--ui-tls";
    private static final String STATE = "--state";
    private static final String SOCKET_PATH = "--socket-path";
    private static final String LOG_LEVEL = "--log-level";
    private static final Logger LOG = LoggerFactory.getLogger(ServeCommand.class);
    private static final String METRICS = "--metrics";
    private static final String METRICS_TLS = "--metrics-tls";
    private static final String NO_CONTROL = "none";
    private static final String NAME_BY_CONVENTION = "vm";

    private final DeviceOptions devices = new DeviceOptions();
    private @Nullable String config;
    private @Nullable String control;
    private final List<String> ui = new ArrayList<>();
    private @Nullable String uiTls;
    private volatile boolean ready;
    private @Nullable String state;
    private @Nullable String maxMemory;
    private final List<String> metrics = new ArrayList<>();
    private @Nullable String metricsTls;
    private @Nullable String socketPath;
    private @Nullable Integer fd;
    private @Nullable String logLevel;
    private boolean printCapabilities;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Serves the balloons and memory devices of virtual machines over vhost-user.",
                "Ends at SIGTERM, SIGINT or \"exomem quit\". SIGHUP reads the --config file again.");
        devices.describe(usage);
        usage.option(
                CONFIG,
                "FILE",
                "Reads a YAML file with the keys balloons, mems, include, control, state, max-memory, metrics,"
                        + " metrics-tls, ui and ui-tls.",
                Completion.FILE,
                value -> config = value);
        usage.option(
                CONTROL,
                "SOCKET",
                "The path of the control socket, or \"none\" (default: exomem.sock in $XDG_RUNTIME_DIR, else in /run"
                        + " for root, else in /tmp/exomem-UID).",
                Completion.FILE,
                value -> control = value);
        usage.repeatableOption(
                UI,
                "ADDRESS",
                "Also serves the page of \"exomem ui\", read-only: an address as for --metrics, such as 8747. May be"
                        + " repeated.",
                Completion.NOTHING,
                ui::add);
        usage.option(
                UI_TLS,
                "DIR",
                "Serves the page on TCP over TLS, to browsers with certificates, as --metrics-tls.",
                Completion.FILE,
                value -> uiTls = value);
        usage.option(
                STATE,
                "DIR",
                "The folder where exomem keeps, in a file for each device, what is plugged and what is in the"
                        + " balloons. With it exomem continues after a restart, also after a crash. exomem creates"
                        + " the folder if its parent exists, for this user only (default: kept in memory only).",
                Completion.FILE,
                value -> state = value);
        usage.option(
                "--max-memory",
                "SIZE",
                "The most memory that a VM may share and that a memory device may have (default: four times the RAM of "
                        + "this host).",
                Completion.NOTHING,
                value -> maxMemory = value);
        usage.repeatableOption(
                METRICS,
                "ADDRESS",
                "Serves metrics for Prometheus (/metrics) and health (/healthz) over HTTP: unix:PATH, a PORT of this"
                        + " host, IPV4:PORT or [IPV6]:PORT. May be repeated.",
                Completion.NOTHING,
                metrics::add);
        usage.option(
                METRICS_TLS,
                "DIR",
                "Serves metrics on TCP over TLS, to clients with certificates: this host's folder, as \"exomem pki"
                        + " init\" creates it. Required for addresses that other hosts can reach.",
                Completion.FILE,
                value -> metricsTls = value);
        usage.option(
                SOCKET_PATH,
                "PATH",
                "Serves a single balloon that listens on this path, by the conventions of vhost-user programs. Serves"
                        + " no control socket unless --control names one.",
                Completion.FILE,
                value -> socketPath = value);
        usage.number(
                "--fd",
                "N",
                "The same on an inherited socket. If the socket is connected, the process ends when the VMM"
                        + " disconnects.",
                0,
                Integer.MAX_VALUE,
                value -> fd = value);
        usage.option(
                LOG_LEVEL,
                "LEVEL",
                "What exomem logs to stderr: error, warn, info or debug; each level includes those before it (default:"
                        + " info). Lines start with the time, or for the journal of systemd with the priority.",
                Completion.NOTHING,
                value -> logLevel = value);
        usage.flag(
                "--print-capabilities",
                "Prints the capabilities of this back-end as JSON, and ends.",
                () -> printCapabilities = true);
        DeviceOptions.explain(usage, "serve", "  exomem serve --config /etc/exomem.yaml");
    }

    @Override
    public int run(Streams streams) throws ConfigException, InterruptedException {
        if (printCapabilities) {
            printCapabilities(streams.out());
            return ExitCode.OK;
        }
        setLogLevel();
        ServeConfig wanted = configured();
        Optional<Path> controlSocket = wanted.control();
        // Signals are handled before the first socket exists, as a program that sees the socket may send one at once.
        BackendProcess process = new BackendProcess();
        try (ServiceManager manager = ServiceManager.ofProcess();
                ServeSignals _ = ServeSignals.handle(process::stop, () -> reload(process, manager));
                process;
                Heartbeat _ = Heartbeat.start(manager, process::pulse)) {
            process.start(startable(wanted), controlSocket);
            ready = true;
            manager.ready();
            CompilerPriority.runLast();
            int vms = wanted.vms().size();
            LOG.info(
                    "exomem {} serves {}; process {}{}",
                    Version.current(),
                    vms == 1 ? "1 VM" : vms + " VMs",
                    ProcessHandle.current().pid(),
                    controlSocket.map(path -> ", control socket on " + path).orElse(""));
            LOG.info("ends: {}", process.awaitStop());
            manager.stopping();
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
        return ExitCode.OK;
    }

    /** Allows a service to start without VMs: the file, or commands of the control socket, add them later. */
    private ServeConfig startable(ServeConfig wanted) throws ConfigException {
        return config != null && wanted.control().isPresent() ? wanted.consistent() : wanted.checked();
    }

    private void setLogLevel() throws ConfigException {
        if (logLevel != null) {
            String word = logLevel;
            Log.level(Log.levelNamed(word)
                    .orElseThrow(() -> new ConfigException(
                            LOG_LEVEL + ": \"" + word + "\" is none of " + String.join(", ", Log.levelNames()))));
        }
    }

    /** SIGHUP (CTL-33): an error in the configuration is reported, and nothing changes. */
    private void reload(BackendProcess process, ServiceManager manager) {
        if (config == null) {
            LOG.warn("SIGHUP is ignored: without --config there is no file to read again");
            return;
        }
        manager.reloading();
        try {
            LOG.info("SIGHUP: reading {} again", config);
            process.reload(configured());
        } catch (ConfigException e) {
            LOG.error("SIGHUP: nothing was changed: {}", e.getMessage());
        } finally {
            // Only after the first start is complete.
            if (ready) {
                manager.ready();
                CompilerPriority.runLast();
            }
        }
    }

    /** The present configuration, from the options and the file. */
    private ServeConfig configured() throws ConfigException {
        ServeConfig wanted = wanted();
        return wanted.withControl(controlPath(wanted));
    }

    private ServeConfig wanted() throws ConfigException {
        List<BalloonConfig> all = new ArrayList<>();
        for (String balloon : devices.balloons()) {
            all.add(ServeConfig.balloon(balloon));
        }
        List<MemoryConfig> allMems = new ArrayList<>();
        for (String mem : devices.mems()) {
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
        return fromFile.and(new ServeConfig(
                Optional.empty(),
                all,
                allMems,
                path(STATE, state),
                limit(),
                http(METRICS, metrics, path(METRICS_TLS, metricsTls)),
                http(UI, ui, path(UI_TLS, uiTls))));
    }

    private static HttpConfig http(String option, List<String> values, Optional<Path> tls) throws ConfigException {
        List<HttpAddress> addresses = new ArrayList<>();
        for (String one : values) {
            addresses.addAll(HttpConfig.addresses(option, one));
        }
        return new HttpConfig(addresses, tls);
    }

    private OptionalLong limit() throws ConfigException {
        return maxMemory == null ? OptionalLong.empty() : OptionalLong.of(ServeConfig.maxMemory(maxMemory));
    }

    private static Optional<Path> path(String option, @Nullable String value) throws ConfigException {
        return value == null ? Optional.empty() : Optional.of(ServeConfig.path(option, value));
    }

    private static BalloonConfig byConvention(Attachment attachment) {
        return new BalloonConfig(
                NAME_BY_CONVENTION,
                attachment,
                BalloonOptions.defaults(),
                0,
                OptionalLong.empty(),
                Optional.empty(),
                WritesChoice.AUTO,
                0);
    }

    private Optional<Path> controlPath(ServeConfig wanted) throws ConfigException {
        if (control != null) {
            return control.equals(NO_CONTROL) ? Optional.empty() : path(CONTROL, control);
        }
        boolean byConvention = socketPath != null || fd != null;
        return wanted.control().or(() -> byConvention ? Optional.empty() : Optional.of(SocketPath.ofUser()));
    }

    /** The format of {@code VhostUserBackendCapabilities} in QEMU's vhost-user.json. */
    private static void printCapabilities(PrintWriter out) {
        out.println("{");
        out.println("  \"type\": \"balloon\",");
        out.println("  \"features\": [\"" + String.join("\", \"", FeatureNames.all()) + "\"]");
        out.println("}");
    }
}
