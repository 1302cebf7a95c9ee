package org.exomem.cli.options;

import java.util.List;

/** The values that a shell offers for completion. */
public sealed interface Completion {
    Completion NOTHING = new Nothing();
    Completion FILE = new File();
    Completion ADDRESS = new Address();
    Completion VM = new Vm();
    Completion DEVICE = new Device();
    Completion REQUIREMENT = new Requirement();

    /** No values: the user may type anything. */
    record Nothing() implements Completion {}

    /** Paths. */
    record File() implements Completion {}

    /** Addresses at which another process listens: {@code unix:PATH}, or a host and a port. */
    record Address() implements Completion {}

    /** The names of the VMs that the back-end serves. */
    record Vm() implements Completion {}

    /** The ids of the memory devices of the VM that was typed before. */
    record Device() implements Completion {}

    /** The ids of the catalogue of requirements. */
    record Requirement() implements Completion {}

    /** One of these words. */
    record Words(List<String> words) implements Completion {}
}
