package org.exomem.backend.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.TestVms;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** VMs and devices that are added and removed while the process serves, with guests attached meanwhile. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class ChangedDevicesTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private TestVms vms;
    private QmpClient client;

    @BeforeEach
    void serve() throws Exception {
        vms = TestVms.named("a", "b");
        client = QmpClient.connect(vms.control());
    }

    @AfterEach
    void end() throws Exception {
        client.close();
        vms.close();
    }

    @Test
    void vmWhoseVmmIsAttachedIsServedUntilThatLeaves() throws Exception {
        BalloonDriver driver = vms.attach("a");
        reload("vm=b,socket=" + path("b"));
        assertThat(ask("{'execute': 'query-vms'}")).contains("'name':'a'").contains("'connected':true");
        driver.close();
        await().atMost(LIMIT).until(() -> !ask("{'execute': 'query-vms'}").contains("'name':'a'"));
        assertThat(vms.folder().resolve("a")).doesNotExist();
        assertThat(vms.folder().resolve("b")).exists();
    }

    @Test
    void changedOptionsHoldAtOnceOrWhenTheVmmHasLeft() throws Exception {
        BalloonDriver driver = vms.attach("a");
        reload("vm=a,socket=" + path("a") + ",stats-interval=7", "vm=b,socket=" + path("b") + ",stats-interval=8");
        assertThat(ask("{'execute': 'query-vms'}"))
                .contains("'stats-interval':0")
                .contains("'stats-interval':8");
        driver.close();
        await().atMost(LIMIT).until(() -> ask("{'execute': 'query-vms'}").contains("'stats-interval':7"));
        vms.attach("a");
    }

    @Test
    void wrongConfigurationChangesNothing() {
        assertThatThrownBy(() -> reload("vm=c,socket=" + path("c"), "vm=d,socket=" + path("c")))
                .isInstanceOf(ConfigException.class)
                .hasMessage("VM \"c\" and VM \"d\" both use " + path("c"));
        assertThatThrownBy(() -> reload("vm=c,fd=0"))
                .hasMessage("VM \"c\", balloon: fd is only for devices that exomem serves from its start");
        assertThat(vms.folder().resolve("a")).exists();
        assertThat(vms.folder().resolve("c")).doesNotExist();
    }

    @Test
    void socketGoesFromOneVmToAnotherWhenItsVmmHasLeft() throws Exception {
        BalloonDriver driver = vms.attach("a");
        reload("vm=renamed,socket=" + path("a"), "vm=b,socket=" + path("b"));
        assertThat(ask("{'execute': 'query-vms'}")).doesNotContain("renamed");
        driver.close();
        await().atMost(LIMIT).until(() -> ask("{'execute': 'query-vms'}").contains("'name':'renamed'"));
        assertThat(ask("{'execute': 'query-vms'}")).doesNotContain("'name':'a'");
    }

    @Test
    @Tag("CTL-33")
    void vmsExchangeTheirSockets() throws Exception {
        reload("vm=a,socket=" + path("b"), "vm=b,socket=" + path("a"));
        assertThat(ask("{'execute': 'query-vms'}"))
                .contains("'name':'a','attachment':'" + path("b"))
                .contains("'name':'b','attachment':'" + path("a"));
        vms.attach("a");
        assertThat(ask("{'execute': 'query-vms'}"))
                .contains("'name':'b','attachment':'" + path("a") + "','responding':true,'connected':true");
    }

    @Test
    @Tag("CTL-33")
    void vmTakesTheSocketOfOneThatGoesInTheSameFile() throws Exception {
        reload("vm=a,socket=" + path("b"));
        assertThat(ask("{'execute': 'query-vms'}"))
                .contains("'name':'a','attachment':'" + path("b"))
                .doesNotContain("'name':'b'");
        assertThat(vms.folder().resolve("a")).doesNotExist();
    }

    @Test
    @Tag("CTL-33")
    void deviceThatCannotBeServedAsIsWantedKeepsItsOldOptions() throws Exception {
        Files.writeString(vms.folder().resolve("taken"), "precious");
        reload("vm=a,socket=" + path("taken"), "vm=b,socket=" + path("b"));
        assertThat(ask("{'execute': 'query-vms'}")).contains("'name':'a','attachment':'" + path("a"));
        vms.attach("a");
        assertThat(vms.folder().resolve("taken")).hasContent("precious");
    }

    @Test
    @Tag("CTL-32")
    void vmThatIsToBeRemovedStaysWhenItIsAddedAgain() throws Exception {
        BalloonDriver driver = vms.attach("a");
        assertThat(ask("{'execute': 'vm-remove', 'arguments': {'vm': 'a'}}")).contains("a VMM is attached");
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'a', 'socket': '" + path("c")
                        + "'}]}}"))
                .contains("is served with other options until its VMM disconnects");
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'a', 'socket': '" + path("a")
                        + "'}]}}"))
                .isEqualTo("{}");
        driver.close();
        await().atMost(LIMIT).until(() -> !ask("{'execute': 'query-vms'}").contains("'connected':true"));
        // Commands are carried out in order, so the removal precedes this answer. A removal that waits for a VMM would
        // be visible by now.
        ask("{'execute': 'vm-remove', 'arguments': {'vm': 'b'}}");
        assertThat(ask("{'execute': 'query-vms'}")).contains("'name':'a'").doesNotContain("'name':'b'");
        vms.attach("a");
    }

    @Test
    @Tag("CTL-31")
    void vmsAndDevicesAreAddedByCommandAndReloadKeepsThem() throws Exception {
        BalloonDriver driver = vms.attach("a");
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'c', 'socket': '" + path("c")
                        + "'}], 'mems': [{'vm': 'a', 'id': 'm', 'socket': '" + path("m")
                        + "', 'addr': '4G', 'size': '1G', 'block': '2M'}]}}"))
                .isEqualTo("{}");
        assertThat(ask("{'execute': 'query-vms'}"))
                .contains("'name':'a','attachment':'" + path("a") + "','responding':true,'connected':true")
                .contains("'memory-devices':['m']")
                .contains("'name':'c'");
        reload("vm=a,socket=" + path("a"), "vm=b,socket=" + path("b"));
        assertThat(ask("{'execute': 'query-vms'}")).contains("'name':'c'").contains("'memory-devices':['m']");
        driver.inflate(32 << 20, 1 << 20);
        assertThat(ask("{'execute': 'query-vms'}")).contains("'ballooned':1048576");
    }

    @Test
    @Tag("CTL-31")
    void allDevicesOfACommandAreAddedOrNone() throws Exception {
        Files.writeString(vms.folder().resolve("taken"), "precious");
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'c', 'socket': '" + path("c")
                        + "'}, {'vm': 'd', 'socket': '" + path("taken") + "'}]}}"))
                .contains("'GenericError'")
                .contains(path("taken"));
        assertThat(vms.folder().resolve("c")).doesNotExist();
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'a', 'socket': '" + path("c")
                        + "'}]}}"))
                .contains("VM 'a', balloon is served already");
        assertThat(ask("{'execute': 'vm-add'}")).contains("nothing to add");
        assertThat(ask("{'execute': 'query-status'}")).contains("'vms':2");
    }

    @Test
    @Tag("CTL-41")
    void vmThatWasAddedWithAVmmGoesWhenThatHasEnded() throws Exception {
        Process vmm = new ProcessBuilder("sleep", "600").start();
        try {
            String add = "{'execute': 'vm-add', 'arguments': {'vmm-pid': " + vmm.pid()
                    + ", 'balloons': [{'vm': 'c', 'socket': '" + path("c") + "'}]}}";
            assertThat(ask(add)).isEqualTo("{}");
            reload("vm=a,socket=" + path("a"), "vm=b,socket=" + path("b"));
            assertThat(ask("{'execute': 'query-vms'}")).contains("'name':'c'");
            assertThat(ask(add)).contains("is served already");
            vmm.destroyForcibly();
            await().atMost(LIMIT).until(() -> !ask("{'execute': 'query-vms'}").contains("'name':'c'"));
            assertThat(vms.folder().resolve("c")).doesNotExist();
            // Its name is free.
            assertThat(ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'c', 'socket': '" + path("c")
                            + "'}]}}"))
                    .isEqualTo("{}");
            assertThat(ask(add.replace("'c'", "'d'").replace(path("c"), path("d"))))
                    .contains("process " + vmm.pid());
        } finally {
            vmm.destroyForcibly().waitFor();
        }
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'template': '/t', 'balloons': [{'vm': 'd', 'socket': '"
                        + path("d") + "'}]}}"))
                .contains("requires 'vmm-pid'");
        assertThat(ask("{'execute': 'vm-add', 'arguments': {'vmm-pid': 0, 'balloons': []}}"))
                .contains("GenericError");
    }

    @Test
    @Tag("CTL-41")
    void deviceThatWasAddedAnewStaysWhenTheVmmOfTheOldOneEnds() throws Exception {
        Process vmm = new ProcessBuilder("sleep", "600").start();
        try {
            ask("{'execute': 'vm-add', 'arguments': {'vmm-pid': " + vmm.pid() + ", 'balloons': [{'vm': 'c', 'socket': '"
                    + path("c") + "'}, {'vm': 'd', 'socket': '" + path("d") + "'}]}}");
            ask("{'execute': 'vm-remove', 'arguments': {'vm': 'c'}}");
            ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'c', 'socket': '" + path("c") + "'}]}}");
        } finally {
            vmm.destroyForcibly().waitFor();
        }
        await().atMost(LIMIT).until(() -> !ask("{'execute': 'query-vms'}").contains("'name':'d'"));
        assertThat(ask("{'execute': 'query-vms'}")).contains("'name':'c'");
    }

    @Test
    @Tag("CTL-32")
    void deviceIsRemovedWhileTheOthersOfItsVmGoOn() throws Exception {
        ask("{'execute': 'vm-add', 'arguments': {'mems': [{'vm': 'a', 'id': 'm', 'socket': '" + path("m")
                + "', 'addr': '4G', 'size': '1G', 'block': '2M'}]}}");
        BalloonDriver driver = vms.attach("a");
        assertThat(ask("{'execute': 'vm-remove', 'arguments': {'vm': 'a', 'device': 'm'}}"))
                .isEqualTo("{'kept':[]}");
        assertThat(vms.folder().resolve("m")).doesNotExist();
        driver.inflate(32 << 20, 1 << 20);
        assertThat(ask("{'execute': 'query-vms'}"))
                .contains("'ballooned':1048576")
                .contains("'memory-devices':[]");
    }

    @Test
    @Tag("CTL-32")
    void removedVmIsUnknownAndOneWithAVmmGoesWhenThatHasLeft() throws Exception {
        BalloonDriver driver = vms.attach("a");
        assertThat(ask("{'execute': 'vm-remove', 'arguments': {'vm': 'b'}}")).isEqualTo("{'kept':[]}");
        assertThat(ask("{'execute': 'vm-remove', 'arguments': {'vm': 'b'}}")).contains("DeviceNotFound");
        assertThat(ask("{'execute': 'balloon', 'arguments': {'vm': 'b', 'value': 1048576}}"))
                .contains("DeviceNotFound");
        assertThat(ask("{'execute': 'vm-remove', 'arguments': {'vm': 'a'}}"))
                .isEqualTo("{'kept':[{'vm':'a','device':'balloon','reason':'a VMM is attached'}]}");
        driver.close();
        await().atMost(LIMIT).until(() -> ask("{'execute': 'query-status'}").contains("'vms':0"));
    }

    @Test
    @Tag("CTL-32")
    void vmThatMigratesIsNeitherRemovedNorDetachedUntilThatIsOver() throws Exception {
        Path qmp = vms.folder().resolve("qmp");
        try (EmbeddedGuest guest = EmbeddedGuest.start(
                EmbeddedOptions.of(vms.folder().resolve("ram"), 4 << 20, qmp).thatIsIncoming())) {
            assertThat(ask("{'execute': 'migrate-incoming', 'arguments': {'vm': 'a', 'uri': 'unix:" + path("stream")
                            + "', 'vmm-qmp': '" + qmp + "'}}"))
                    .isEqualTo("{}");
            assertThat(ask("{'execute': 'vm-detach', 'arguments': {'vm': 'a', 'vmm-qmp': '" + qmp + "'}}"))
                    .contains("VM 'a' is migrating");
            assertThat(ask("{'execute': 'vm-remove', 'arguments': {'vm': 'a'}}"))
                    .contains("VM \\'a\\' is migrating");
            assertThat(ask("{'execute': 'query-status'}")).contains("'vms':2");
            ask("{'execute': 'migrate-cancel', 'arguments': {'vm': 'a'}}");
            await().atMost(LIMIT).until(() -> ask("{'execute': 'query-status'}").contains("'vms':1"));
            assertThat(guest.failure()).isNull();
        }
    }

    @Test
    void pagesOfAVmThatWasRemovedAndAddedAgainCanBeFollowedAgain() throws Exception {
        String follow = "{'execute': 'follow-pages', 'arguments': {'vm': 'b'}}";
        assertThat(ask(follow)).isEqualTo("{}");
        assertThat(ask(follow)).contains("already follows VM 'b'");
        ask("{'execute': 'vm-remove', 'arguments': {'vm': 'b'}}");
        ask("{'execute': 'vm-add', 'arguments': {'balloons': [{'vm': 'b', 'socket': '" + path("b") + "'}]}}");
        assertThat(ask(follow)).isEqualTo("{}");
    }

    @Test
    void processEndsWhenTheVmmOfItsInheritedConnectionHasGone() throws Exception {
        List<Fd> pair = UnixSockets.pair();
        try (BackendProcess process = new BackendProcess()) {
            BalloonConfig balloon =
                    ServeConfig.balloon("vm=vm,fd=" + pair.get(0).number());
            process.start(new ServeConfig(Optional.empty(), List.of(balloon)), Optional.empty());
            pair.get(1).close();
            assertThat(process.awaitStop()).isEqualTo("the VMM disconnected, and no other VMM can connect");
        }
    }

    @Test
    void socketsAreTheirOwnersUnlessAModeOrGroupIsNamed() throws Exception {
        reload(
                "vm=a,socket=" + path("a"),
                "vm=b,socket=" + path("b") + ",socket-mode=0666",
                "vm=c,socket=" + path("c") + ",socket-group=" + Files.getAttribute(vms.folder(), "unix:gid"));
        assertThat(mode("a")).isEqualTo("rw-------");
        assertThat(mode("b")).isEqualTo("rw-rw-rw-");
        assertThat(mode("c")).isEqualTo("rw-rw----");
    }

    private String mode(String socket) throws IOException {
        return PosixFilePermissions.toString(
                Files.getPosixFilePermissions(vms.folder().resolve(socket)));
    }

    private void reload(String... balloons) throws ConfigException {
        ServeConfig config = new ServeConfig(Optional.of(vms.control()), List.of());
        for (String balloon : balloons) {
            config = config.and(new ServeConfig(Optional.empty(), List.of(ServeConfig.balloon(balloon))));
        }
        vms.process().reload(config);
    }

    /** The answer to a command, or the class and text of the error; with ' for ". */
    private String ask(String command) throws IOException {
        ObjectNode json = (ObjectNode) Json.parse(command.replace('\'', '"'));
        try {
            ObjectNode arguments = json.get("arguments") instanceof ObjectNode given ? given : Json.object();
            return Json.text(client.execute(json.path("execute").asText(), arguments))
                    .replace('"', '\'');
        } catch (QmpException e) {
            return ("'" + e.errorClass() + "' " + e.getMessage()).replace('"', '\'');
        }
    }

    private String path(String name) {
        return vms.folder().resolve(name).toString();
    }
}
