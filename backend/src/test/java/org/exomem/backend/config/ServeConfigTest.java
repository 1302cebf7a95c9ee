package org.exomem.backend.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.FreePageRequests;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServeConfigTest {
    @Test
    void shortestBalloonHasDefaults() throws ConfigException {
        assertThat(ServeConfig.balloon("vm=web,socket=/run/web.sock"))
                .isEqualTo(new BalloonConfig(
                        "web",
                        new Attachment.Listen(Path.of("/run/web.sock")),
                        BalloonOptions.defaults(),
                        0,
                        OptionalLong.empty(),
                        Optional.empty(),
                        WritesChoice.AUTO,
                        0));
    }

    @Test
    void everyOptionHasItsEffect() throws ConfigException {
        assertThat(
                        ServeConfig.balloon(
                                "vm=a,fd=7,size=2G,vmm-qmp=/run/a.qmp,vmm-writes=compare,vmm-active=5,stats-interval=5,discard=off,deflate-on-oom,must-tell-host=on,"
                                        + "statistics=yes,free-page-hint=no,page-poison=false,free-page-reporting=n,free-pages=off"))
                .isEqualTo(new BalloonConfig(
                        "a",
                        new Attachment.Inherited(7),
                        new BalloonOptions(true, true, true, false, false, false, FreePageRequests.OFF, false),
                        5,
                        OptionalLong.of(2L << 30),
                        Optional.of(Path.of("/run/a.qmp")),
                        WritesChoice.COMPARE,
                        5));
    }

    @Test
    void commaWrittenTwiceIsPartOfTheValue() throws ConfigException {
        assertThat(ServeConfig.balloon("vm=a,socket=/tmp/x,,y=1.sock,connect=on")
                        .attachment())
                .isEqualTo(new Attachment.Connect(Path.of("/tmp/x,y=1.sock")));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        vm=a                                   | socket (or fd) is missing: where the VMM attaches
        socket=/s                              | vm is missing: the VM's name on the control socket
        vm=a,socket=/s,fd=3                    | socket and fd exclude each other
        vm=a,fd=3,connect=on                   | connect=on needs socket, the path on which the VMM listens
        vm=a,vm=b,socket=/s                    | "vm" is given twice
        vm=a b,socket=/s                       | vm: "a b" is not a name; use 1 to 64 letters, digits and . _ : @ -
        vm=a,socket=                           | socket: the path is empty
        vm=a,socket=/s,discard=maybe           | discard: "maybe" is neither on nor off
        vm=a,socket=/s,size=big                | size: "big" is not a size; write it like 512M, 2G or 1.5GiB
        vm=a,socket=/s,size=2                  | size: 2 B is too small for a VM; sizes are in bytes unless they have a unit, such as 512M
        vm=a,socket=/s,stats-interval=-1       | stats-interval: "-1" is not a number from 0 to 86400
        vm=a,socket=/s,stats-interval=86401    | stats-interval: "86401" is not a number from 0 to 86400
        vm=a,fd=x                              | fd: no socket "x" was passed to this process
        vm=a,socket=/s,statistics=off,stats-interval=1 | stats-interval needs statistics=on
        vm=a,,socket=/s                        | vm: "a,socket=/s" is not a name; use 1 to 64 letters, digits and . _ : @ -
        vm=a,socket=/s,socket-mode=660x        | socket-mode: "660x" is not a mode; write it in octal, such as 0660
        vm=a,socket=/s,socket-mode=0888        | socket-mode: "0888" is not a mode; write it in octal, such as 0660
        vm=a,socket=/s,socket-group=           | socket-group: there is no group "" on this host
            vm=a,socket=/s,socket-group=no-such    | socket-group: there is no group "no-such" on this host
        vm=a,fd=3,socket-mode=0660             | socket-mode and socket-group are only for a socket on which exomem listens (socket=PATH)
        vm=a,socket=/s,connect,socket-group=0  | socket-mode and socket-group are only for a socket on which exomem listens (socket=PATH)
        vm=a,socket=/s,                        | an option is empty (write a comma in a value twice)
        vm=a,=x                                | "=x" has no name before the =
        """)
    void wrongBalloonIsExplained(String words, String complaint) {
        assertThatThrownBy(() -> ServeConfig.balloon(words))
                .isInstanceOf(ConfigException.class)
                .hasMessage("--balloon " + words + ": " + complaint);
    }

    @Test
    void unknownOptionIsAnsweredWithThoseThatExist() {
        assertThatThrownBy(() -> ServeConfig.balloon("vm=a,sockt=/s"))
                .hasMessage("--balloon vm=a,sockt=/s: \"sockt\" is not an option of a balloon; the options are vm,"
                        + " socket, connect, fd, socket-mode, socket-group, size, stats-interval, vmm-qmp,"
                        + " vmm-writes, vmm-active, discard, deflate-on-oom, must-tell-host, statistics,"
                        + " free-page-hint, page-poison, free-page-reporting, free-pages");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        vm=a,socket=/s                                   | 600 |
        vm=a,socket=/s,socket-group=root                 | 660 | root
        vm=a,socket=/s,socket-mode=0666                  | 666 |
        vm=a,socket=/s,socket-mode=640,socket-group=0    | 640 | 0
        """)
    void onlyTheOwnerMayConnectUnlessAGroupOrModeIsGiven(String options, String mode, String group)
            throws ConfigException {
        assertThat(ServeConfig.balloon(options).attachment())
                .isInstanceOfSatisfying(Attachment.Listen.class, listen -> {
                    assertThat(Integer.toOctalString(listen.access().mode())).isEqualTo(mode);
                    GroupPrincipal found = listen.access().group();
                    assertThat(found == null ? null : found.getName()).isEqualTo(group);
                });
    }

    @Test
    void changedOptionsAreNamed() throws ConfigException {
        BalloonConfig before = ServeConfig.balloon("vm=a,socket=/s,size=2G");
        assertThat(before.differences(ServeConfig.balloon("vm=a,socket=/s,size=2048M")))
                .isEmpty();
        assertThat(before.differences(ServeConfig.balloon("vm=a,socket=/t,size=1G,discard=off,socket-group=root")))
                .containsExactly("socket", "socket-mode", "socket-group", "size", "discard");
    }

    @Test
    void everyOptionIsComparedAndAccepted() throws ConfigException {
        assertThat(ServeConfig.balloon("vm=a,socket=/s").options().keySet())
                .containsExactlyInAnyOrderElementsOf(ServeConfig.balloonOptions().stream()
                        .map(DeviceOption::name)
                        .toList());
        assertThat(ServeConfig.mem("vm=a,id=m,socket=/s,addr=4G,size=1G")
                        .options()
                        .keySet())
                .containsExactlyInAnyOrderElementsOf(ServeConfig.memoryOptions().stream()
                        .map(DeviceOption::name)
                        .toList());
        for (DeviceOption option : ServeConfig.balloonOptions()) {
            assertThatThrownBy(() -> ServeConfig.balloon(option.name() + "=\0"))
                    .isInstanceOf(ConfigException.class)
                    .hasMessageContaining(": " + option.name() + ": ");
        }
        for (DeviceOption option : ServeConfig.memoryOptions()) {
            assertThatThrownBy(() -> ServeConfig.mem(option.name() + "=\0"))
                    .isInstanceOf(ConfigException.class)
                    .hasMessageContaining(": " + option.name() + ": ");
        }
    }

    @Test
    void nothingToServeIsAnError() {
        assertThatThrownBy(() -> config().checked())
                .hasMessage(
                        "nothing to serve: name a balloon, such as --balloon vm=NAME,socket=PATH, or a memory device"
                                + " (--mem)");
    }

    @Test
    void twoBalloonsOfOneVmAreAnError() {
        assertThatThrownBy(() -> config("vm=a,socket=/s", "vm=a,socket=/t").checked())
                .hasMessage("VM \"a\" has two balloons; only one is allowed");
    }

    @Test
    void twoBalloonsOnOneSocketAreAnError() {
        assertThatThrownBy(() -> config("vm=a,socket=/s", "vm=b,socket=/s").checked())
                .hasMessage("VM \"a\" and VM \"b\" both use /s");
    }

    @Test
    void balloonOnTheControlSocketIsAnError() {
        assertThatThrownBy(() -> config("vm=a,socket=/c")
                        .and(new ServeConfig(Optional.of(Path.of("/c")), List.of()))
                        .checked())
                .hasMessage("the control socket and VM \"a\" both use /c");
    }

    private static ServeConfig config(String... balloons) throws ConfigException {
        ServeConfig config = ServeConfig.NOTHING;
        for (String balloon : balloons) {
            config = config.and(new ServeConfig(Optional.empty(), List.of(ServeConfig.balloon(balloon))));
        }
        return config;
    }
}
