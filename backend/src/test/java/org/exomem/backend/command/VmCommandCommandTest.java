package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.cli.options.ExitCode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class VmCommandCommandTest {
    @TempDir
    private Path folder;

    private final BackendProcess process = new BackendProcess();

    @BeforeEach
    void serve() throws Exception {
        Path control = folder.resolve("control");
        ServeConfig config = new ServeConfig(
                Optional.of(control),
                List.of(
                        ServeConfig.balloon("vm=web,socket=" + folder + "/b,vmm-qmp=" + folder + "/qmp"),
                        ServeConfig.balloon("vm=odd,socket=" + folder + "/o,,dd's"),
                        ServeConfig.balloon("vm=back,connect=on,socket=" + folder + "/back")),
                List.of(
                        ServeConfig.mem("vm=web,id=m0,addr=4G,size=1G,block=4M,socket=" + folder + "/m0"),
                        ServeConfig.mem("vm=nodes,id=a,addr=4G,size=1G,block=4M,node=1,socket=" + folder + "/na"),
                        ServeConfig.mem("vm=nodes,id=b,addr=5G,size=2G,block=4M,node=2,socket=" + folder + "/nb"),
                        ServeConfig.mem("vm=gap,id=a,addr=6G,size=1G,block=4M,socket=" + folder + "/ga"),
                        ServeConfig.mem("vm=large,id=a,addr=6G,size=1G,block=4M,socket=" + folder + "/la")),
                Optional.empty());
        process.start(config.checked(), Optional.of(control));
    }

    @AfterEach
    void end() {
        process.close();
    }

    private Ran command(String... words) {
        return Ran.of(Stream.concat(
                        Stream.of("vm", "command"),
                        Stream.concat(Stream.of(words), Stream.of("--control", folder + "/control")))
                .toArray(String[]::new));
    }

    private List<String> words(String... words) {
        List<String> all = new ArrayList<>(List.of(words));
        all.add("--words");
        Ran ran = command(all.toArray(String[]::new));
        assertThat(ran.code()).as(ran.err()).isZero();
        return ran.out().lines().toList();
    }

    private String ram(String... options) {
        List<String> words = new ArrayList<>(List.of("ram", "create", folder + "/ram", "--any-fs"));
        words.addAll(List.of(options));
        assertThat(Ran.of(words.toArray(String[]::new)).code()).isZero();
        return folder + "/ram";
    }

    @Test
    void printsRamDevicesAndQmpOfTheServedVm() {
        String ram = ram("--size", "1536M");

        assertThat(words("web", "--ram", ram, "--any-fs"))
                .containsExactly(
                        "-m",
                        "1536M",
                        "-machine",
                        "q35,memory-backend=ram,max-ram-below-4g=512M",
                        "-object",
                        "memory-backend-file,id=ram,size=1536M,mem-path=" + ram + "/exomem.0+60000000.ram,share=on",
                        "-device",
                        "pcie-root-port,id=balloon0-port,chassis=224",
                        "-chardev",
                        "socket,id=balloon0-socket,path=" + folder + "/b",
                        "-device",
                        "vhost-user-test-device-pci,id=balloon0,bus=balloon0-port,chardev=balloon0-socket,virtio-id=5,num_vqs=6,vq_size=128,config_size=16",
                        "-device",
                        "pcie-root-port,id=mem0-port,chassis=225",
                        "-chardev",
                        "socket,id=mem0-socket,path=" + folder + "/m0",
                        "-device",
                        "vhost-user-test-device-pci,id=mem0,bus=mem0-port,chardev=mem0-socket,virtio-id=24,num_vqs=1,vq_size=128,config_size=56",
                        "-qmp",
                        "unix:" + folder + "/qmp,server=on,wait=off");
        assertThat(command("web", "--ram", ram, "--any-fs").err())
                .contains("the guest's kernel needs the option mem=512M")
                .doesNotContain("vmm-qmp");
    }

    @Test
    void ramOfMoreThanTwoGibGoesOnAboveFourAndTheDevicesBehindIt() {
        assertThat(words("large", "--size", "4G"))
                .contains("q35,memory-backend=ram,max-ram-below-4g=2G", "memory-backend-memfd,id=ram,size=5G,share=on");
        assertThat(command("large", "--size", "4G").err()).contains("mem=6G", "vmm-qmp=PATH");
    }

    @Test
    void eachNumaNodeHasAFileOfItsOwn() {
        String ram = ram("--block", "r0=1G", "--block", "r1=1G", "--block", "r2=2G");

        assertThat(words("nodes", "--ram", ram))
                .containsSequence("-machine", "q35,max-ram-below-4g=1G")
                .contains(
                        "node,nodeid=0,memdev=r0",
                        "node,nodeid=2,memdev=r2",
                        "memory-backend-file,id=r2,size=2G,mem-path=" + ram + "/exomem.80000000+80000000.r2,share=on");
        assertThat(words("nodes", "--size", "1G")).contains("node,nodeid=1,memdev=ram1");
    }

    @Test
    void deviceThatIsNotBehindTheRamIsRefusedWithItsRightPlace() {
        Ran ran = command("gap", "--size", "1G");

        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).contains("\"a\" is at 0x180000000", "it must be at 0x100000000");
        assertThat(ran.out()).isEmpty();
    }

    @Test
    void filesThatDoNotFitAreRefusedUnlessFallbackIsAllowed() throws Exception {
        String ram = ram("--size", "1G");

        Ran ran = command("web", "--ram", ram, "--size", "1G");
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).contains("have 1 GiB, the VM needs 2 GiB");
        Ran fallback = command("web", "--ram", ram, "--size", "1G", "--fallback");
        assertThat(fallback.code()).isZero();
        assertThat(fallback.out()).contains("memory-backend-memfd,id=ram,size=2G");
        assertThat(fallback.err()).contains("(--fallback)");
        assertThat(command("web", "--ram", folder + "/none", "--size", "1G").err())
                .contains("there is no folder");
        Path empty = Files.createDirectory(folder.resolve("empty"));
        assertThat(command("web", "--ram", empty.toString()).err()).contains("create it with \"exomem ram create\"");
    }

    @Test
    void vmmMakesTheFilesWhereItIsToldTo() throws Exception {
        Path empty = Files.createDirectory(folder.resolve("empty"));
        String place = empty.toString();

        assertThat(words("web", "--ram", place, "--size", "1G", "--mode", "create", "--name", "pc.ram", "--prealloc"))
                .contains("memory-backend-file,id=pc.ram,size=2G,mem-path=" + place
                        + "/exomem.0+80000000.pc.ram,share=on,prealloc=on");
        assertThat(words("web", "--ram", place, "--size", "1G", "--mode", "temp", "--private"))
                .contains("memory-backend-file,id=ram,size=2G,mem-path=" + place + ",share=off");
        assertThat(command("web", "--ram", place, "--mode", "create").err()).contains("--size 8G");
        assertThat(command("web", "--ram", ram("--size", "2G"), "--size", "1G", "--mode", "create")
                        .err())
                .contains("exists already");
    }

    @Test
    void commasAndQuotesInPathsAreEscaped() {
        assertThat(words("odd", "--size", "1G")).contains("socket,id=balloon0-socket,path=" + folder + "/o,,dd's");
        assertThat(command("odd", "--size", "1G").out())
                .contains("'socket,id=balloon0-socket,path=" + folder + "/o,,dd'\\''s'");
    }

    @Test
    void deviceForWhichTheVmmListensIsToldOf() {
        assertThat(words("back", "--size", "1G"))
                .contains("socket,id=balloon0-socket,path=" + folder + "/back,server=on");
        assertThat(command("back", "--size", "1G").err()).contains("connects a second time");
    }

    @Test
    void jsonHasTheSameWords() throws Exception {
        List<String> words = new ArrayList<>();
        Json.parse(command("web", "--size", "1G", "--json").out().strip()).forEach(word -> words.add(word.asText()));

        assertThat(words).isEqualTo(words("web", "--size", "1G"));
    }

    @Test
    void libvirtDomainIsXmlWithSharedFileMemory() throws Exception {
        Ran ran = command("odd", "--ram", ram("--size", "1G"), "--libvirt");
        Document xml = DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(ran.out())));

        assertThat(xml.getElementsByTagName("source")
                        .item(0)
                        .getAttributes()
                        .getNamedItem("type")
                        .getNodeValue())
                .isEqualTo("file");
        assertThat(xml.getElementsByTagName("access")
                        .item(0)
                        .getAttributes()
                        .getNamedItem("mode")
                        .getNodeValue())
                .isEqualTo("shared");
        assertThat(ran.out())
                .contains("<memory unit='KiB'>1048576</memory>", "path=" + folder + "/o,,dd&apos;s", "addr=0x1e");
        assertThat(ran.err()).contains("memory_backing_dir");
        assertThat(command("nodes", "--size", "1G", "--libvirt").err()).contains("NUMA");
    }

    @Test
    void aVmmThatIsNotThereIsNoFaultOfTheControlSocket() {
        Ran ran = Ran.of("update-vmm", "web", "--control", folder + "/control");
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).startsWith("exomem: can't use QMP with the VMM on " + folder + "/qmp: ");
    }

    @Test
    void wrongWordsAreExplained() {
        assertThat(command("web", "--size", "1G", "--json", "--libvirt").code()).isEqualTo(ExitCode.USAGE);
        assertThat(command("web", "--size", "x").err()).contains("--size: \"x\" is not a size");
        assertThat(command("web").err()).contains("--size 8G");
        assertThat(command("other", "--size", "1G").err()).contains("there are back, gap, large, nodes, odd, web");
        assertThat(command("web", "--size", "1G", "--mode", "reuse").err()).contains("open, create, temp");
    }

    @Test
    @Tag("CTL-37")
    void devicesAreToldAsTheyAreServed() throws Exception {
        try (QmpClient client = QmpClient.connectToOwn(folder.resolve("control"))) {
            assertThat(client.execute("query-vm-devices", Json.object().put("vm", "web")))
                    .isEqualTo(Json.parse(
                            ("[{'id':'balloon','type':'balloon','attachment':'listen','socket':'F/b','vmm-qmp':'F/qmp'},"
                                            + "{'id':'m0','type':'virtio-mem','attachment':'listen','socket':'F/m0','memaddr':4294967296,"
                                            + "'size':1073741824,'block-size':4194304}]")
                                    .replace('\'', '"')
                                    .replace("F/", folder + "/")));
        }
    }
}
