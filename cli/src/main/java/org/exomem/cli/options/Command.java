package org.exomem.cli.options;

/** A command of a program. An instance is for one command line: parsing sets its fields. */
public interface Command {
    /** Declares the arguments of the command, and its help. Called once, before all else. */
    void describe(Usage usage);

    /**
     * Runs the command with the values that parsing has set.
     *
     * @return the exit code
     * @throws UsageException if the values contradict each other
     * @throws Exception if it fails; the program reports it
     */
    int run(Streams streams) throws Exception;
}
