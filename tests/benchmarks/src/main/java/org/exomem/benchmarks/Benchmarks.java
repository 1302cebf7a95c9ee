package org.exomem.benchmarks;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** All measurements, each a subcommand. {@code tests/benchmarks/run} builds first and calls this. */
@Command(
        name = "benchmarks",
        mixinStandardHelpOptions = true,
        subcommands = {
            DeviceInflate.class,
            DevicePlug.class,
            BlockMapCost.class,
            KickLatency.class,
            Idle.class,
            WatchCost.class,
            PageFaultCost.class,
            RemoteFaultCost.class,
            CommandStart.class,
            ManyVms.class,
            PatrolCost.class,
            WatchedLoop.class,
            GuestInflate.class,
            GuestPlug.class,
            StreamThroughput.class,
            HugePagesCost.class,
            GuestMigrate.class,
            GuestFreePages.class,
            GuestWrite.class,
            GuestImages.class,
            GuestPostCopy.class,
            Micro.class
        })
public final class Benchmarks {
    private Benchmarks() {}

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Benchmarks());
    }
}
