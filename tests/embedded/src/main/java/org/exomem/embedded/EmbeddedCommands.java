package org.exomem.embedded;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Userfaultfd;
import org.jspecify.annotations.Nullable;

/**
 * The QMP commands of the machine itself: the commands of QEMU that a migration needs, {@code query-dirty-log}, and
 * some for tests, whose names begin with {@code x-}.
 *
 * <pre>
 * query-dirty-log   {"path": FILE, "size": bytes, "page-size": 4096}
 * make-userfaultfd  {"fd": NUMBER} of a new one, which is closed by the next such command
 * x-load            fill, free (bytes; done when it returns), then writes, churn, checks (pages a second, -1 for as many
 *                   as it can) and pressure, which stay as they are where they are not given.
 *                   Returns {"held": bytes, "free": bytes}
 * x-verify          verifies all memory that the program uses. Returns {"checked": pages, "wrong": pages}
 * x-throttle        percent of its time that the guest stands still
 * x-balloon         what the balloon's driver did since it started: {"in-balloon": pages, "sessions": of hinting,
 *                   "hinted": pages, "reported": pages, "taken-back": hinted pages that were used all the same,
 *                   "broken": why the device does not work any more}
 * </pre>
 */
final class EmbeddedCommands implements QmpServer.Commands {
    /** A command. */
    interface Command {
        JsonNode run(JsonNode arguments) throws QmpError;
    }

    private static final String SHARED = "x-ignore-shared";
    private static final String FILE = "file:";

    private final EmbeddedGuest guest;
    private final Map<String, Command> commands = new LinkedHashMap<>();
    private @Nullable Fd userfaultfd;
    private boolean ignoresShared;
    private ObjectNode migration = QmpServer.object();

    EmbeddedCommands(EmbeddedGuest guest) {
        this.guest = guest;
        commands.put("query-commands", arguments -> names());
        commands.put("query-status", arguments -> status());
        commands.put("stop", arguments -> done(guest::stop));
        commands.put("cont", arguments -> done(guest::cont));
        commands.put("quit", arguments -> QmpServer.object());
        commands.put("query-memdev", arguments -> memory());
        commands.put("qom-list", this::list);
        commands.put("qom-get", this::get);
        commands.put("query-migrate-capabilities", arguments -> capabilities());
        commands.put("migrate-set-capabilities", this::setCapabilities);
        commands.put("migrate", arguments -> move(arguments, guest::save));
        commands.put("migrate-incoming", arguments -> move(arguments, guest::load));
        commands.put("query-migrate", arguments -> migration());
        // "migrate" is answered when all is saved, so there is nothing to cancel.
        commands.put("migrate_cancel", arguments -> QmpServer.object());
        if (guest.ram().log() != null) {
            commands.put("query-dirty-log", arguments -> dirtyLog());
        }
        if (guest.options().handsOver()) {
            commands.put("make-userfaultfd", arguments -> makeUserfaultfd());
        }
        DeviceCommands devices = new DeviceCommands(guest);
        commands.put("query-chardev", arguments -> devices.characterDevices());
        commands.put("chardev-add", devices::addCharacterDevice);
        commands.put("chardev-remove", devices::removeCharacterDevice);
        commands.put("device_add", devices::add);
        commands.put("device_del", devices::remove);
        commands.put("x-balloon", arguments -> devices.balloon());
        commands.put("x-load", this::load);
        commands.put("x-verify", arguments -> verify());
        commands.put(
                "x-throttle",
                arguments -> done(() -> guest.program().setThrottle((int) number(arguments, "percent", 0))));
    }

    @Override
    public JsonNode run(String name, JsonNode arguments) throws QmpError {
        Command command = commands.get(name);
        if (command == null) {
            throw new QmpError("CommandNotFound", "The command " + name + " has not been found");
        }
        return command.run(arguments);
    }

    @Override
    public void quit() {
        if (userfaultfd != null) {
            userfaultfd.close();
        }
        guest.quit();
    }

    private static JsonNode done(Runnable task) {
        task.run();
        return QmpServer.object();
    }

    private static ArrayNode array() {
        return QmpServer.object().putArray("all");
    }

    private ArrayNode names() {
        ArrayNode names = array();
        names.addObject().put("name", "qmp_capabilities");
        commands.keySet().forEach(name -> names.addObject().put("name", name));
        return names;
    }

    private ObjectNode status() {
        RunState state = guest.state();
        return QmpServer.object().put("status", state.toString()).put("running", state == RunState.RUNNING);
    }

    private ArrayNode memory() {
        ArrayNode all = array();
        all.addObject()
                .put("id", "ram")
                .put("size", guest.ram().size())
                .put("share", guest.ram().isShared())
                .put("merge", true)
                .put("dump", true)
                .put("prealloc", false);
        return all;
    }

    private ArrayNode list(JsonNode arguments) throws QmpError {
        ArrayNode all = array();
        switch (path(arguments)) {
            case "/objects" -> all.addObject().put("name", "ram").put("type", "child<memory-backend-file>");
            case "/objects/ram" -> {
                all.addObject().put("name", "size").put("type", "int");
                all.addObject().put("name", "share").put("type", "bool");
                all.addObject().put("name", "mem-path").put("type", "string");
            }
            case DeviceCommands.PERIPHERAL ->
                guest.devices()
                        .ids()
                        .forEach(id ->
                                all.addObject().put("name", id).put("type", "child<" + DeviceCommands.DRIVER + ">"));
            default -> throw new QmpError("DeviceNotFound", "Device '" + path(arguments) + "' not found");
        }
        return all;
    }

    private JsonNode get(JsonNode arguments) throws QmpError {
        ObjectNode properties = DeviceCommands.properties(guest.devices(), path(arguments));
        if (path(arguments).equals("/objects/ram")) {
            properties
                    .put("size", guest.ram().size())
                    .put("share", guest.ram().isShared())
                    .put("mem-path", guest.ram().path().toString());
        } else if (properties.isEmpty()) {
            throw new QmpError("DeviceNotFound", "Device '" + path(arguments) + "' not found");
        }
        String name = arguments.path("property").asText();
        if (!properties.has(name)) {
            throw QmpError.general("Property '" + path(arguments) + "." + name + "' not found");
        }
        return properties.get(name);
    }

    private static String path(JsonNode arguments) {
        return arguments.path("path").asText();
    }

    private synchronized ArrayNode capabilities() {
        ArrayNode all = array();
        all.addObject().put("capability", SHARED).put("state", ignoresShared);
        return all;
    }

    private synchronized JsonNode setCapabilities(JsonNode arguments) throws QmpError {
        for (JsonNode capability : arguments.path("capabilities")) {
            if (!capability.path("capability").asText().equals(SHARED)) {
                throw QmpError.general("this VMM has only the capability " + SHARED);
            }
            ignoresShared = capability.path("state").asBoolean();
        }
        return QmpServer.object();
    }

    /** Saves or loads a state. */
    private interface Move {
        void run(Path file) throws IOException;
    }

    private synchronized JsonNode move(JsonNode arguments, Move move) throws QmpError {
        String uri = arguments.path("uri").asText();
        if (!uri.startsWith(FILE)) {
            throw QmpError.general("this VMM migrates to and from " + FILE + "… only, not " + uri);
        }
        if (!ignoresShared) {
            throw QmpError.general("this VMM does not migrate memory: set the capability " + SHARED + " first");
        }
        migration = QmpServer.object();
        try {
            move.run(Path.of(uri.substring(FILE.length())));
            migration.put("status", "completed");
        } catch (IOException e) {
            migration.put("status", "failed").put("error-desc", e.getMessage());
        }
        return QmpServer.object();
    }

    /** The reasons that block a migration, in QEMU's form. */
    private synchronized ObjectNode migration() {
        ObjectNode all = migration.deepCopy();
        List<String> devices = guest.devices().ids();
        if (!devices.isEmpty()) {
            ArrayNode reasons = all.putArray("blocked-reasons");
            devices.forEach(id -> reasons.add("non-migratable device: " + id + "/vhost-user-test-device"));
        }
        return all;
    }

    private ObjectNode dirtyLog() throws QmpError {
        WriteLog log = guest.ram().log();
        if (log == null) {
            throw QmpError.general("no log is open");
        }
        return QmpServer.object()
                .put("path", log.path().toString())
                .put("size", log.size())
                .put("page-size", GuestRam.PAGE);
    }

    private synchronized ObjectNode makeUserfaultfd() throws QmpError {
        if (userfaultfd != null) {
            userfaultfd.close();
        }
        try {
            userfaultfd = Userfaultfd.make();
            return QmpServer.object().put("fd", userfaultfd.number());
        } catch (LinuxException e) {
            throw QmpError.general(e.getMessage());
        }
    }

    private JsonNode load(JsonNode arguments) {
        guest.work(number(arguments, "fill", 0), number(arguments, "free", 0));
        Load before = guest.program().load();
        guest.busy(
                rate(arguments, "writes", before.writes()),
                rate(arguments, "churn", before.churn()),
                rate(arguments, "checks", before.checks()),
                arguments.path("pressure").asBoolean(before.pressure()));
        EmbeddedGuest.Usage usage = guest.usage();
        return QmpServer.object().put("held", usage.held()).put("free", usage.free());
    }

    private static long rate(JsonNode arguments, String name, long otherwise) {
        long rate = number(arguments, name, otherwise);
        return rate == -1 ? Load.UNLIMITED : rate;
    }

    private static long number(JsonNode arguments, String name, long otherwise) {
        JsonNode value = arguments.path(name);
        if (value.isMissingNode()) {
            return otherwise;
        }
        if (!value.isIntegralNumber()) {
            throw new IllegalArgumentException(name + " is not an integer: " + value);
        }
        return value.asLong();
    }

    private ObjectNode verify() {
        List<String> wrong = guest.verify();
        ObjectNode answer = QmpServer.object()
                .put("checked", guest.usage().held() / GuestRam.PAGE)
                .put("wrong", wrong.size());
        if (!wrong.isEmpty()) {
            answer.put("first-wrong", wrong.getFirst());
        }
        return answer;
    }
}
