package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.exomem.benchmarks.StreamCopy.Way;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.stream.wire.tls.Pki;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * The migration stream compared with a plain copy of the same bytes. The bytes are random, so that there are no zeros
 * to skip. Every round measures all ways, one after the other, and a ratio is the median of the rounds' ratios.
 */
@Command(
        name = "stream",
        mixinStandardHelpOptions = true,
        description =
                "The migration stream's bulk throughput, compared with a plain copy over the same kind of socket.")
final class StreamThroughput extends Benchmark {
    private static final double WANTED = 0.7;
    private static final double WANTED_WITH_TLS = 0.5;

    @Option(names = "--memory", description = "MiB to copy. Default: ${DEFAULT-VALUE}")
    private int memory = 1024;

    @Option(names = "--rounds", description = "Rounds of each. Default: ${DEFAULT-VALUE}")
    private int rounds = 9;

    @Option(names = "--warm-up", description = "Warm-up rounds, not measured. Default: ${DEFAULT-VALUE}")
    private int warmUp = 3;

    @Override
    List<Figure> measure() throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        long size = (long) memory << 20;
        try (SharedFile source = SharedFile.memfd("source", size);
                SharedFile destination = SharedFile.memfd("destination", size);
                ChildJvm receiver = ChildJvm.start(StreamReceiver.class, List.of(destination.fd()))) {
            Pki.in(folder).addHost("127.0.0.1");
            fill(source);
            StreamCopy copy = new StreamCopy(source, receiver, folder);
            Map<Way, List<Double>> rates = new EnumMap<>(Way.class);
            for (int round = -warmUp; round < rounds; round++) {
                for (Way way : Way.values()) {
                    double rate = size / (double) copy.nanos(way);
                    requireSame(source, destination, way);
                    if (round >= 0) {
                        rates.computeIfAbsent(way, unused -> new ArrayList<>()).add(rate);
                    }
                }
            }
            rates.forEach((way, all) -> say(String.format(Locale.ROOT, "  %-20s GB/s: %.2f", way, Median.of(all))));
            return figures(rates);
        } finally {
            delete(folder);
        }
    }

    private static List<Figure> figures(Map<Way, List<Double>> rates) {
        List<Figure> figures = new ArrayList<>();
        rates.forEach((way, all) ->
                figures.add(Figure.of(way.name().toLowerCase(Locale.ROOT).replace('_', ' '), Median.of(all), "GB/s")));
        figures.add(ratio("stream / plain copy, Unix socket", rates, Way.STREAM_UNIX, Way.PLAIN_UNIX)
                .atLeast(WANTED));
        figures.add(ratio("stream / plain copy, TCP", rates, Way.STREAM_TCP, Way.PLAIN_TCP)
                .atLeast(WANTED));
        figures.add(ratio(
                        "stream with TLS by certificates / plain copy, TCP",
                        rates,
                        Way.STREAM_CERTIFICATES,
                        Way.PLAIN_TCP)
                .atLeast(WANTED_WITH_TLS));
        figures.add(ratio("stream with TLS by a key / plain copy, TCP", rates, Way.STREAM_KEY, Way.PLAIN_TCP)
                .atLeast(WANTED_WITH_TLS));
        return figures;
    }

    private static Figure ratio(String name, Map<Way, List<Double>> rates, Way stream, Way plain) {
        List<Double> streams = rates.getOrDefault(stream, List.of());
        List<Double> plains = rates.getOrDefault(plain, List.of());
        List<Double> mapped = rates.getOrDefault(Way.valueOf(plain + "_MAPPED"), List.of());
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < streams.size(); i++) {
            ratios.add(streams.get(i) / Math.max(plains.get(i), mapped.get(i)));
        }
        return Figure.of(name, Median.of(ratios), "");
    }

    private static void fill(SharedFile file) throws IOException {
        Random random = new Random(1);
        byte[] some = new byte[1 << 20];
        random.nextBytes(some);
        try (Mapping mapping = Mapping.of(file, 0, file.size())) {
            for (long at = 0; at < file.size(); at += some.length) {
                MemorySegment.copy(some, 0, mapping.segment(), ValueLayout.JAVA_BYTE, at, some.length);
                mapping.segment().set(ValueLayout.JAVA_LONG_UNALIGNED, at, random.nextLong());
            }
        }
    }

    private static void requireSame(SharedFile source, SharedFile destination, Way way) throws IOException {
        try (Mapping sent = Mapping.of(source, 0, source.size());
                Mapping came = Mapping.of(destination, 0, destination.size())) {
            if (sent.segment().mismatch(came.segment()) >= 0) {
                throw new IOException("the data received by " + way + " differs from the data sent");
            }
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }
}
