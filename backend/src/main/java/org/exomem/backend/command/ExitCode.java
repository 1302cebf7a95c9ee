package org.exomem.backend.command;

/** What the program tells the shell. */
public final class ExitCode {
    public static final int OK = 0;
    /** It was tried and refused. */
    public static final int FAILED = 1;
    /** The words were not understood; nothing was tried. */
    public static final int USAGE = 2;
    /** Something that is needed is not there: nobody listens on the control socket, no Java 25, … */
    public static final int UNAVAILABLE = 3;
    /** It was not done in the time given. */
    public static final int TIMED_OUT = 4;

    static final String HELP_HEADING = "%nExit codes:%n";

    private ExitCode() {}
}
