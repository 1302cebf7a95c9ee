package org.exomem.backend.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class VmmCommandLineTest {
    private static VmmCommandLine line(String... words) {
        return VmmCommandLine.of(List.of(words));
    }

    @Test
    void wordsStayAsTheyAreWhateverIsWrittenInThem() {
        List<String> words = List.of(
                "/lib64/ld-linux-x86-64.so.2",
                "--library-path",
                "/opt/lib",
                "/opt/bin/qemu-system-x86_64",
                "-nodefaults",
                "--name",
                "web,,1,process=x",
                "disk.img",
                "-object",
                "{\"qom-type\":\"memory-backend-file\",\"id\":\"ram\",\"share\":true}",
                "-append",
                "a=b,c",
                "-no-reboot");
        VmmCommandLine line = VmmCommandLine.of(words);
        assertThat(line.words())
                .containsExactlyElementsOf(words.stream()
                        .map(word -> word.equals("--name") ? "-name" : word)
                        .toList());
    }

    @Test
    void waitingVmmHasNothingOfTheFirstOnesStart() {
        assertThat(line("qemu", "-daemonize", "-incoming", "tcp:0:4444", "-S", "-m", "1G")
                        .waiting()
                        .words())
                .containsExactly("qemu", "-m", "1G", "-S", "-incoming", "defer");
    }

    @Test
    void devicesOfASocketGoWithTheirConnectionAndOthersStay() {
        VmmCommandLine line = line(
                "qemu",
                "-chardev",
                "socket,id=cb,path=/run/b.sock",
                "-device",
                "vhost-user-test-device-pci,id=b,chardev=cb",
                "-device",
                "{\"driver\":\"vhost-user-test-device-pci\",\"chardev\":\"cm\"}",
                "-chardev",
                "socket,id=cm,path=/run/m.sock",
                "-chardev",
                "socket,id=fs,path=/run/fs.sock",
                "-device",
                "vhost-user-fs-pci,chardev=fs");
        assertThat(line.withoutDevicesOn(List.of(Path.of("/run/b.sock"), Path.of("/run/m.sock")))
                        .words())
                .containsExactly(
                        "qemu",
                        "-chardev",
                        "socket,id=fs,path=/run/fs.sock",
                        "-device",
                        "vhost-user-fs-pci,chardev=fs");
    }

    @Test
    void everythingThatAVmmMakesInTheFileSystemIsFoundAndMoved() {
        VmmCommandLine line = line(
                "qemu",
                "-qmp",
                "unix:/run/a,,b.qmp,server=on,wait=off",
                "-monitor",
                "unix:/run/hmp,server,nowait",
                "-serial",
                "unix:/run/log",
                "-chardev",
                "socket,id=c,path=/run/shell,server=on,wait=off",
                "-chardev",
                "socket,id=d,path=/run/other",
                "-vnc",
                "unix:/run/vnc",
                "-pidfile",
                "/run/pid");
        assertThat(line.places())
                .containsExactly(
                        Path.of("/run/a,b.qmp"),
                        Path.of("/run/hmp"),
                        Path.of("/run/shell"),
                        Path.of("/run/vnc"),
                        Path.of("/run/pid"));
        assertThat(line.movingPlaces(place -> Path.of(place + ".2")).words())
                .containsExactly(
                        "qemu",
                        "-qmp",
                        "unix:/run/a,,b.qmp.2,server=on,wait=off",
                        "-monitor",
                        "unix:/run/hmp.2,server,nowait",
                        "-serial",
                        "unix:/run/log",
                        "-chardev",
                        "socket,id=c,server=on,wait=off,path=/run/shell.2",
                        "-chardev",
                        "socket,id=d,path=/run/other",
                        "-vnc",
                        "unix:/run/vnc.2",
                        "-pidfile",
                        "/run/pid.2");
    }

    @Test
    void memoryGetsAnotherFileAsWrittenWithCommasOrAsJson() {
        VmmCommandLine line = line(
                "qemu",
                "-object",
                "memory-backend-file,id=ram,mem-path=/a,size=1G,share=on",
                "-object",
                "{\"qom-type\":\"memory-backend-file\",\"id\":\"more\",\"mem-path\":\"/b\",\"size\":4096,\"share\":true}",
                "-object",
                "secret,id=ram");
        assertThat(line.withPrivateMemory("ram", Path.of("/t,1"))
                        .withSharedMemory("more", Path.of("/c"))
                        .words())
                .containsExactly(
                        "qemu",
                        "-object",
                        "memory-backend-file,id=ram,size=1G,mem-path=/t,,1,share=off,readonly=on,rom=off",
                        "-object",
                        "{\"qom-type\":\"memory-backend-file\",\"id\":\"more\",\"mem-path\":\"/c\",\"size\":4096,\"share\":true}",
                        "-object",
                        "secret,id=ram");
    }

    @Test
    void cloneHasAnEmptyFileAndItsTemplateBesideWhichAnotherVmmDoesNotGet() {
        VmmCommandLine clone = line(
                        "qemu", "-object", "memory-backend-file,id=ram,mem-path=/a,size=1G,share=on,prealloc=on")
                .withEmptyMemory("ram", Path.of("/own"))
                .withTemplate("ram", Path.of("/t"), 1 << 30);
        assertThat(clone.words())
                .containsExactly(
                        "qemu",
                        "-object",
                        "memory-backend-file,id=ram,size=1G,mem-path=/own,prealloc=off,share=on",
                        "-object",
                        "memory-backend-file,id=exomem-template-ram,mem-path=/t,size=1073741824,share=off,readonly=on,rom=off");
        assertThat(clone.forAnother(List.of()).words())
                .containsExactly(
                        "qemu",
                        "-object",
                        "memory-backend-file,id=ram,size=1G,mem-path=/own,prealloc=off,share=on",
                        "-S",
                        "-incoming",
                        "defer");
    }

    @Test
    void qmpSocketIsFoundAsAnOptionOrAsAMonitorOnACharacterDevice() {
        assertThat(line("qemu", "-qmp", "tcp:0:4444,server", "-qmp", "unix:/run/q,server=on")
                        .qmp())
                .contains(Path.of("/run/q"));
        assertThat(line(
                                "qemu",
                                "-chardev",
                                "socket,id=m,path=/run/m,server=on,wait=off",
                                "-mon",
                                "chardev=m,mode=control")
                        .qmp())
                .contains(Path.of("/run/m"));
        assertThat(line("qemu", "-qmp", "unix:/run/q,server=off").qmp()).isEmpty();
    }

    @Test
    void consolesAndLogsOfACloneAreItsOwn() {
        assertThat(line(
                                "qemu",
                                "-serial",
                                "file:/var/log/a",
                                "-D",
                                "/var/log/d",
                                "-chardev",
                                "file,id=c,path=/var/log/c")
                        .movingOutputs(path -> Path.of("/own").resolve(path.getFileName()))
                        .words())
                .containsExactly("qemu", "-serial", "file:/own/a", "-D", "/own/d", "-chardev", "file,id=c,path=/own/c");
    }

    @Test
    void generationIdIsAnotherForAnotherGuest() {
        VmmCommandLine line = line("qemu", "-device", "vmgenid,guid=324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");
        assertThat(line.hasGenerationId()).isTrue();
        assertThat(line.withNewGenerationId().words()).containsExactly("qemu", "-device", "vmgenid,guid=auto");
        assertThat(line("qemu", "-device", "virtio-rng-pci").hasGenerationId()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-nographic",
                "-serial stdio",
                "-serial mon:stdio",
                "-chardev stdio,id=c",
                "-chardev socket,id=c,fd=5",
                "-run-with exit-with-parent=on",
                "-add-fd fd=3,set=1",
                "-netdev tap,id=n,fds=4:5"
            })
    void whatBelongsToTheFirstOnesStartIsAnObstacle(String option) {
        String[] words = ("qemu -m 1G " + option).split(" ");
        assertThat(line(words).obstacle())
                .hasValueSatisfying(why -> assertThat(why).contains(option));
    }

    @Test
    void ordinaryOptionsAreNoObstacle() {
        assertThat(line("qemu", "-serial", "file:x", "-run-with", "async-teardown=on", "-m", "1G")
                        .obstacle())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-device vhost-user-blk-pci,chardev=c",
                "-device {\"driver\":\"vhost-user-fs-pci\"}",
                "-device vfio-pci,host=1",
                "-netdev vhost-user,id=n,chardev=c",
                "-netdev type=vhost-vdpa,vhostdev=/dev/vhost-vdpa-0,id=n",
                "-blockdev driver=virtio-blk-vhost-user,path=/s,node-name=n"
            })
    @Tag("PGR-BEGIN-2")
    void devicesThatOthersServeAreSeen(String option) {
        assertThat(line("qemu", "-m", "1G", option.split(" ")[0], option.split(" ")[1])
                        .sharing())
                .contains(option);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-chardev socket,id=c,path=/run/vhost-user/s",
                "-drive file=/images/vfio.qcow2",
                "-blockdev driver=file,filename=/images/vhost-user-disk,node-name=n",
                "-netdev tap,id=n,vhost=on",
                "-device virtio-net-pci,netdev=n"
            })
    void devicesOfTheVmmAndItsKernelAreNotTakenForOthers(String option) {
        assertThat(line("qemu", option.split(" ")[0], option.split(" ")[1]).sharing())
                .isEmpty();
    }
}
