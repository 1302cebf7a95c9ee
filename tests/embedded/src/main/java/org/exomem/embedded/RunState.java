package org.exomem.embedded;

/** The states of a machine, as QEMU names them. */
enum RunState {
    RUNNING("running"),
    PAUSED("paused"),
    INMIGRATE("inmigrate"),
    POSTMIGRATE("postmigrate"),
    GUEST_PANICKED("guest-panicked");

    private final String text;

    RunState(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
