package org.exomem.cli.options;

/** A command of a program. An instance is for one command line: parsing sets its fields. */
public interface Command {
    /** Declares what the command takes, and its help. Called once, first. */
    void describe(Usage usage);

    /**
     * Does it, with the values that parsing has set.
     *
     * @return the exit code
     * @throws UsageException if the values don't go together
     * @throws Exception if it fails; the program knows how to report it
     */
    int run(Streams streams) throws Exception;
}
