package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.qmp.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The introspection that QEMU's tools use. It must describe all commands and events, and answers must match it. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
@Tag("CTL-18")
class SchemaTest {
    private TestVms vms;
    private RawClient client;
    private final Map<String, JsonNode> types = new HashMap<>();
    private final Map<String, JsonNode> commands = new HashMap<>();
    private final Map<String, JsonNode> events = new HashMap<>();

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.with(List.of("a", "b"), List.of("vm=a,id=m0,addr=4G,size=64M,requested=4M,block=2M"));
        client = RawClient.negotiated(vms.control());
        client.send("{'execute': 'query-qmp-schema'}");
        for (JsonNode info : client.receive().path("return")) {
            Map<String, JsonNode> kind = switch (info.path("meta-type").asText()) {
                case "command" -> commands;
                case "event" -> events;
                default -> types;
            };
            assertThat(kind.put(info.path("name").asText(), info))
                    .as("told twice")
                    .isNull();
        }
    }

    @AfterEach
    void stop() throws Exception {
        client.close();
        vms.close();
    }

    @Test
    void everyCommandAndEventIsThere() throws IOException {
        assertThat(commands.keySet()).isEqualTo(names("query-commands"));
        assertThat(events.keySet()).isEqualTo(names("query-events"));
        assertThat(commands)
                .containsKeys("qmp_capabilities", "query-version", "query-qmp-schema", "follow-pages", "quit");
        assertThat(events).containsKeys("BALLOON_CHANGE", "DEVICE_ERROR", "PAGES");
    }

    private Set<String> names(String command) throws IOException {
        client.send("{'execute': '" + command + "'}");
        Set<String> names = new HashSet<>();
        client.receive()
                .path("return")
                .forEach(entry -> names.add(entry.path("name").asText()));
        return names;
    }

    @Test
    void everyTypeThatIsNamedIsToldOnce() {
        Set<String> named = new HashSet<>();
        commands.values().forEach(command -> {
            named.add(command.path("arg-type").asText());
            named.add(command.path("ret-type").asText());
        });
        events.values().forEach(event -> named.add(event.path("arg-type").asText()));
        types.values().forEach(type -> {
            type.path("members").forEach(member -> {
                if (member.has("type")) {
                    named.add(member.path("type").asText());
                }
            });
            if (type.has("element-type")) {
                named.add(type.path("element-type").asText());
            }
        });
        assertThat(types.keySet()).isEqualTo(named);
    }

    @Test
    void argumentsHaveTheirTypesAndWhatMayBeLeftOutHasADefault() {
        JsonNode members = type(Objects.requireNonNull(commands.get("balloon"))
                        .path("arg-type")
                        .asText())
                .path("members");
        assertThat(members.toString().replace('"', '\''))
                .isEqualTo("[{'name':'vm','type':'str','default':null},{'name':'value','type':'int'}]");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "query-version",
                "query-commands",
                "query-events",
                "query-qmp-schema",
                "query-status",
                "query-vms",
                "query-balloon",
                "query-balloon-stats",
                "query-free-pages",
                "query-memory-devices",
                "query-jobs",
                "query-migrate"
            })
    void answerIsOfTheTypeThatTheSchemaNames(String command) throws Exception {
        var ram = vms.ram(64 << 20);
        vms.attach("a", ram);
        vms.attachMemory(0, ram);
        boolean ofVm = type(Objects.requireNonNull(commands.get(command))
                        .path("arg-type")
                        .asText())
                .path("members")
                .has(0);
        client.send("{'execute': '" + command + "'" + (ofVm ? ", 'arguments': {'vm': 'a'}" : "") + "}");
        JsonNode message = client.receive();
        while (message.has("event")) {
            JsonNode event =
                    Objects.requireNonNull(events.get(message.path("event").asText()));
            check(event.path("arg-type").asText(), message.path("data"), message.toString());
            message = client.receive();
        }
        assertThat(message.has("return")).as(message.toString()).isTrue();
        check(Objects.requireNonNull(commands.get(command)).path("ret-type").asText(), message.path("return"), command);
    }

    private JsonNode type(String name) {
        return Objects.requireNonNull(types.get(name), name);
    }

    private void check(String typeName, JsonNode value, String where) {
        JsonNode type = type(typeName);
        switch (type.path("meta-type").asText()) {
            case "builtin" ->
                assertThat(
                                switch (type.path("json-type").asText()) {
                                    case "string" -> value.isTextual() || value.isNull();
                                    case "boolean" -> value.isBoolean();
                                    case "int" -> value.isIntegralNumber();
                                    default -> false;
                                })
                        .as(where + ": " + value + " is no " + typeName)
                        .isTrue();
            case "enum" -> assertThat(type.path("values")).as(where).contains(value);
            case "array" ->
                value.forEach(element -> check(type.path("element-type").asText(), element, where));
            case "object" -> {
                Set<String> rest = new HashSet<>();
                value.fieldNames().forEachRemaining(rest::add);
                for (JsonNode member : type.path("members")) {
                    String name = member.path("name").asText();
                    if (rest.remove(name)) {
                        check(member.path("type").asText(), value.path(name), where + "." + name);
                    } else {
                        assertThat(member.has("default"))
                                .as(where + "." + name + " is missing")
                                .isTrue();
                    }
                }
                assertThat(rest).as(where).isEmpty();
            }
            default -> throw new AssertionError(type);
        }
    }

    /** What QEMU's Python library (qemu.qmp) sends and needs: see its {@code qmp_client.py} and {@code models.py}. */
    @Test
    void conversationOfQemusOwnLibraryWorks() throws Exception {
        try (RawClient qemu = new RawClient(vms.control())) {
            JsonNode greeting = qemu.receive().path("QMP");
            assertThat(greeting.path("version").path("qemu").path("major").isInt())
                    .isTrue();
            assertThat(greeting.path("capabilities").isArray()).isTrue();
            qemu.send("{'execute': 'qmp_capabilities', 'arguments': {}, 'id': '__qmp#00000'}\r\n");
            assertThat(qemu.receive()).isEqualTo(Json.parse("{\"return\":{},\"id\":\"__qmp#00000\"}"));
            qemu.send("{'execute': 'query-version', 'id': '__qmp#00001'}\r\n");
            assertThat(qemu.receive().path("return")).isEqualTo(greeting.path("version"));
        }
    }
}
