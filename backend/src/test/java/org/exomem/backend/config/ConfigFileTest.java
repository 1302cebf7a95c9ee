package org.exomem.backend.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFileTest {
    @TempDir
    Path folder;

    @Test
    void fileHasTheOptionsOfTheCommandLine() throws Exception {
        ServeConfig config = read("""
            # two VMs
            control: control.sock
            state: state
            max-memory: 64G
            balloons:
              - vm: web
                socket: /run/web.sock
                size: 1.5G
                deflate-on-oom: on
                free-page-hint: off
                must-tell-host: off
              - vm: 007
                fd: 3
                stats-interval: 10
            """);

        assertThat(config.control()).contains(folder.resolve("control.sock"));
        assertThat(config.state()).contains(folder.resolve("state"));
        assertThat(config.maxMemory()).hasValue(64L << 30);
        assertThat(config.balloons())
                .containsExactly(
                        new BalloonConfig(
                                "web",
                                new Attachment.Listen(Path.of("/run/web.sock")),
                                new BalloonOptions(false, true, true, false, true, true, FreePageRequests.BITMAP, true),
                                0,
                                OptionalLong.of(3L << 29),
                                Optional.empty(),
                                WritesChoice.AUTO,
                                0),
                        new BalloonConfig(
                                "007",
                                new Attachment.Inherited(3),
                                BalloonOptions.defaults(),
                                10,
                                OptionalLong.empty(),
                                Optional.empty(),
                                WritesChoice.AUTO,
                                0));
    }

    @Test
    void metricsAreServedAtAllAddressesOfTheFile() throws Exception {
        ServeConfig config = read("""
                metrics: 9469, unix:metrics.sock, "[2001:db8::7]:1"
                metrics-tls: pki/host
                """.replace("\"", ""));
        assertThat(config.metrics().addresses())
                .extracting(Object::toString)
                .containsExactly(
                        "127.0.0.1:9469", "unix:" + folder.resolve("metrics.sock"), "[2001:db8:0:0:0:0:0:7]:1");
        assertThat(config.metrics().tls()).contains(folder.resolve("pki/host"));
        assertThat(read("metrics: 9469").metrics().addresses()).hasSize(1);
    }

    @Test
    void thePageIsServedAtAllAddressesOfTheFile() throws Exception {
        ServeConfig config = read("ui: 8747, 192.0.2.7:8748\nui-tls: pki/host\n");
        assertThat(config.ui().addresses())
                .extracting(Object::toString)
                .containsExactly("127.0.0.1:8747", "192.0.2.7:8748");
        assertThat(config.ui().tls()).contains(folder.resolve("pki/host"));
        assertThat(config.metrics().addresses()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        'ballons: []'                                        | 1: "ballons" is not a key; the keys are balloons, mems, include, control, state, max-memory, metrics, metrics-tls, ui and ui-tls
        'control: a~control: b'                              | 2: "control" is given twice
        'control: [a]'                                       | 1: "control" must be a single value
        'control: none'                                      | 1: control must be a path; for no control socket, leave it out and use --control none
        'control: ""'                                        | 1: the path is empty
        'balloons: 3'                                        | 1: balloons must be a list
        'balloons:~  - web'                                  | 2: a balloon must be a mapping, such as - vm: NAME
        'balloons:~  - vm: a~    socket: s~    vm: b'        | 4: "vm" is given twice
        'balloons:~  - vm: a~    socket: s~    discard: 3'   | 4: discard: "3" is neither on nor off
        'balloons:~  - vm: a~    socket:~'                   | 3: "socket" must be a single value
        'balloons:~  - vm: a~  - vm: b'                      | 2: socket (or fd) is missing: where the VMM attaches
        'balloons:~  - vm: a~   socket: s'                   | 3: not YAML: while parsing a block collection: expected <block end>, but found '<block mapping start>'
        '- vm: a'                                            | 1: the file must be a mapping with balloons, mems, include, control, state, max-memory, metrics, metrics-tls, ui and ui-tls
        ''                                                   | 1: the file must be a mapping with balloons, mems, include, control, state, max-memory, metrics, metrics-tls, ui and ui-tls
        'max-memory: lots'                                   | 1: max-memory: "lots" is not a size; write it like 512M, 2G or 1.5GiB
        'balloons:~\t- vm: a'                                | 1: not YAML: there is a tab; YAML allows only spaces for indentation
        'balloons:~  - vm: a~    socket: ""'                 | 3: the path is empty
        'state: ""'                                          | 1: the path is empty
        'control: a~---~control: b'                          | 3: a second document is not allowed
        """)
    void wrongFileIsExplainedWithItsLine(String text, String complaint) {
        assertThatThrownBy(() -> read(text.replace('~', '\n')))
                .isInstanceOf(ConfigException.class)
                .hasMessage(folder.resolve("config.yaml") + ":" + complaint);
    }

    @Test
    void filesOfTheFolderThatIsIncludedHaveMoreDevices() throws Exception {
        Files.createDirectory(folder.resolve("vms"));
        Files.writeString(folder.resolve("vms/b.yaml"), "balloons: [{vm: b, socket: b.sock}]");
        Files.writeString(folder.resolve("vms/a.yaml"), "mems: [{vm: a, id: m0, socket: /a, addr: 4G, size: 1G}]");
        Files.writeString(folder.resolve("vms/a.yaml.new"), "not finished");
        ServeConfig config = read("balloons: [{vm: first, socket: /f}]\ninclude: vms\nstate: state");
        assertThat(config.balloons()).extracting(BalloonConfig::vm).containsExactly("first", "b");
        assertThat(config.mems()).extracting(MemoryConfig::vm).containsExactly("a");
        assertThat(config.balloons().getLast().attachment())
                .isEqualTo(new Attachment.Listen(folder.resolve("vms/b.sock")));
        assertThat(config.state()).contains(folder.resolve("state"));
    }

    @Test
    void folderThatIsIncludedNeedNotBeThere() throws Exception {
        assertThat(read("include: vms").devices()).isEmpty();
    }

    @Test
    void fileThatIsIncludedHasDevicesOnly() throws Exception {
        Files.createDirectory(folder.resolve("vms"));
        Path one = folder.resolve("vms/one.yaml");
        Files.writeString(one, "balloons: []\nstate: /elsewhere");
        assertThatThrownBy(() -> read("include: vms"))
                .isInstanceOf(ConfigException.class)
                .hasMessage(one + ":2: \"state\" is not allowed in an included file; the keys are balloons and mems");
        Files.writeString(one, "include: .");
        assertThatThrownBy(() -> read("include: vms"))
                .hasMessageContaining("\"include\" is not allowed in an included" + " file");
        Files.delete(one);
        Files.writeString(folder.resolve("file"), "");
        assertThatThrownBy(() -> read("include: file")).hasMessageContaining("it is not a folder");
    }

    @Test
    void unknownOptionNamesItsLine() {
        assertThatThrownBy(() -> read("balloons:\n  - vm: a\n    sockt: s\n"))
                .hasMessageStartingWith(folder.resolve("config.yaml")
                        + ":3: \"sockt\" is not an option of a balloon; the options are" + " vm, ");
    }

    @Test
    void whatIsNoYamlNamesItsLine() {
        assertThatThrownBy(() -> read("control: a\nballoons: [\n"))
                .hasMessage(folder.resolve("config.yaml") + ":2: not YAML: while parsing a flow node: expected the node"
                        + " content, but found '<stream end>'");
    }

    @Test
    void missingFileIsNamed() {
        Path missing = folder.resolve("missing.yaml");
        assertThatThrownBy(() -> ConfigFile.read(missing))
                .isInstanceOf(ConfigException.class)
                .hasMessage(missing + ": there is no such file");
    }

    @Test
    void folderAndFileThatIsNoTextAreNamed() throws IOException {
        assertThatThrownBy(() -> ConfigFile.read(folder))
                .isInstanceOf(ConfigException.class)
                .hasMessage("\"" + folder + "\" is a folder, not a YAML file");
        Path binary = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe, 0});
        assertThatThrownBy(() -> ConfigFile.read(binary))
                .isInstanceOf(ConfigException.class)
                .hasMessage(binary + ": not text in UTF-8");
    }

    @Test
    void fileThatNeverEndsIsRefused() {
        assertThatThrownBy(() -> ConfigFile.read(Path.of("/dev/zero")))
                .hasMessage("/dev/zero: is larger than 16 MiB, the limit for a configuration file");
    }

    private ServeConfig read(String text) throws IOException, ConfigException {
        return ConfigFile.read(Files.writeString(folder.resolve("config.yaml"), text));
    }
}
