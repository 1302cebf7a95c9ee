package org.exomem.backend.command;

/** What the program tells the shell. */
final class ExitCode {
    static final int OK = 0;
    /** It was tried and refused. */
    static final int FAILED = 1;
    /** The words were not understood; nothing was tried. */
    static final int USAGE = 2;
    /** Something that is needed is not there: nobody listens on the control socket, no Java 25, … */
    static final int UNAVAILABLE = 3;
    /** It was not done in the time given. */
    static final int TIMED_OUT = 4;

    static final String HELP_HEADING = "%nExit codes:%n";

    private ExitCode() {}
}
