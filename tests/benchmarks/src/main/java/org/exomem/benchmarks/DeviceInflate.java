package org.exomem.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.benchmarks.PageRuns.Run;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.pages.Pages;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The device alone: how fast it puts pages into the balloon. The driver in another process has everything ready before
 * it kicks, and sleeps until all is done.
 */
@Command(
        name = "device-inflate",
        mixinStandardHelpOptions = true,
        description = "The device alone: page numbers per second, and discards compared with bare fallocate.")
final class DeviceInflate extends Benchmark {
    private static final double WANTED_MILLIONS = 50;
    private static final double WANTED_OF_FALLOCATE = 0.9;
    /** Bytes of the guest's own memory below the pages for the balloon: rings, and buffers of page numbers. */
    private static final long OWN = 32L << 20;

    @Option(
            names = "--memory",
            paramLabel = "MIB",
            description = "The memory that contains the runs. Default: ${DEFAULT-VALUE}")
    private long memory = 2048;

    @Option(names = "--rounds", description = "Rounds of each shape. Default: ${DEFAULT-VALUE}")
    private int rounds = 9;

    @Option(names = "--warm-up", description = "Warm-up rounds, not measured. Default: ${DEFAULT-VALUE}")
    private int warmUp = 60;

    @Override
    List<Figure> measure() throws IOException {
        long first = Pages.floor(OWN);
        long end = Pages.floor(OWN + (memory << 20));
        List<PageRuns> shapes =
                List.of(PageRuns.whole(first, end), PageRuns.scattered(first, end), PageRuns.mixed(first, end));
        List<Figure> figures = new ArrayList<>();
        try (ServeProcess exomem = ServeProcess.start(List.of("counting,discard=off", "discarding"))) {
            for (RingFormat format : RingFormat.values()) {
                try (Guest guest = attach(exomem, "counting", format)) {
                    for (PageRuns shape : shapes) {
                        figures.addAll(count(guest, shape, format));
                    }
                }
            }
            for (RingFormat format : RingFormat.values()) {
                try (Guest guest = attach(exomem, "discarding", format);
                        BareFallocate bare = BareFallocate.start(guest.ram())) {
                    for (PageRuns shape : shapes) {
                        figures.addAll(discard(guest, bare, shape, format));
                    }
                }
            }
        }
        return figures;
    }

    private Guest attach(ServeProcess exomem, String vm, RingFormat format) throws IOException {
        int buffers = (int) ((Pages.floor(memory << 20)) / 256 + 1);
        int queueSize = Integer.highestOneBit(2 * buffers - 1);
        return Guest.attach(exomem.socket(vm), OWN + (memory << 20), format.features(), queueSize);
    }

    private List<Figure> count(Guest guest, PageRuns shape, RingFormat format) throws IOException {
        PfnBuffers buffers = new PfnBuffers(guest.ram(), OWN / 2, shape);
        List<Double> rates = new ArrayList<>();
        List<Double> back = new ArrayList<>();
        for (int round = -warmUp; round < rounds; round++) {
            long inflated = buffers.send(guest.inflate());
            long deflated = buffers.send(guest.deflate());
            if (round >= 0) {
                rates.add(shape.pages() * 1e3 / inflated);
                back.add(shape.pages() * 1e3 / deflated);
            }
        }
        String what = format + ", " + shape.name();
        return List.of(
                Figure.of("inflate without discard, " + what, Median.of(rates), "M PFN/s")
                        .atLeast(WANTED_MILLIONS),
                Figure.of("deflate, " + what, Median.of(back), "M PFN/s"));
    }

    private List<Figure> discard(Guest guest, BareFallocate bare, PageRuns shape, RingFormat format)
            throws IOException {
        PfnBuffers buffers = new PfnBuffers(guest.ram(), OWN / 2, shape);
        bare.use(shape.ascending());
        List<Double> rates = new ArrayList<>();
        List<Double> ratios = new ArrayList<>();
        for (int round = -2; round < rounds; round++) {
            populate(guest.ram(), shape);
            double bareRate = shape.pages() * 1e3 / bare.punch();
            requireEmpty(guest.ram());
            populate(guest.ram(), shape);
            double rate = shape.pages() * 1e3 / buffers.send(guest.inflate());
            requireEmpty(guest.ram());
            buffers.send(guest.deflate());
            if (round >= 0) {
                rates.add(rate);
                ratios.add(rate / bareRate);
            }
        }
        String what = format + ", " + shape.name();
        return List.of(
                Figure.of("inflate with discard, " + what, Median.of(rates), "M PFN/s"),
                Figure.of("  relative to the rate of bare fallocate", Median.of(ratios), "")
                        .atLeast(WANTED_OF_FALLOCATE));
    }

    private static void populate(GuestRam ram, PageRuns shape) {
        for (Run run : shape.runs()) {
            ram.fill(run.address(), run.bytes(), (byte) 1);
        }
    }

    private static void requireEmpty(GuestRam ram) throws IOException {
        if (ram.hostBytes() > OWN) {
            throw new IOException(ram.hostBytes() + " bytes are still allocated after all runs were discarded");
        }
    }
}
