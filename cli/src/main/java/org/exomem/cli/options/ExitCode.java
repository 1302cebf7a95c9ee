package org.exomem.cli.options;

import java.util.List;

/** The exit codes of the program. */
public final class ExitCode {
    public static final int OK = 0;
    /** The command was tried, and was refused or failed. */
    public static final int FAILED = 1;
    /** A usage error: the command line is invalid; nothing was tried. */
    public static final int USAGE = 2;
    /** Something that the command needs is missing: nothing listens on the control socket, no Java 25, … */
    public static final int UNAVAILABLE = 3;
    /** The command did not finish within its time. */
    public static final int TIMED_OUT = 4;

    /** For the help of each command. */
    public static final Section HELP = new Section(
            "Exit codes",
            List.of(
                    "  0    done",
                    "  1    refused or failed; the message gives the reason",
                    "  2    usage error; nothing was done",
                    "  3    no process listens on the control socket, or something needed is missing",
                    "  4    timed out; the operation continues",
                    "  130  interrupted by Ctrl-C; the requested operation continues"));

    private ExitCode() {}
}
