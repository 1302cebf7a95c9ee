package org.exomem.backend.migrate;

import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;

/**
 * What an operator asks for in a migration. A destination ignores {@code bandwidth}, {@code hints}, {@code precopy}, {@code
 * balloonFirst} and {@code writes}.
 *
 * @param address where the VM goes, or where this host waits for it
 * @param vmmQmp the QMP socket of the VMM, if it is not the configured one
 * @param bandwidth the most bytes a second on the network; 0 for no limit
 * @param hints how the guest is asked which pages it does not need
 * @param balloonFirst whether the balloon first takes the memory that the guest can spare
 * @param writes how to find the pages that the guest writes, if not in the configured way
 * @param keys the files from which {@code security} was read, for the next exomem
 */
public record MigrationRequest(
        MigrationAddress address,
        Optional<Path> vmmQmp,
        StreamSecurity security,
        StreamOptions stream,
        long bandwidth,
        HintsChoice hints,
        PrecopyOptions precopy,
        boolean balloonFirst,
        Optional<WritesChoice> writes,
        KeyFiles keys) {
    /** A request that leaves the balloon unchanged, and finds writes in the configured way. */
    public MigrationRequest(
            MigrationAddress address,
            Optional<Path> vmmQmp,
            StreamSecurity security,
            StreamOptions stream,
            long bandwidth,
            HintsChoice hints,
            PrecopyOptions precopy) {
        this(address, vmmQmp, security, stream, bandwidth, hints, precopy, false, Optional.empty(), KeyFiles.NONE);
    }

    MigrationRequest withAddress(MigrationAddress other) {
        return new MigrationRequest(
                other, vmmQmp, security, stream, bandwidth, hints, precopy, balloonFirst, writes, keys);
    }

    MigrationRequest withVmm(Path qmp) {
        return new MigrationRequest(
                address, Optional.of(qmp), security, stream, bandwidth, hints, precopy, balloonFirst, writes, keys);
    }

    MigrationRequest withSecurity(StreamSecurity other) {
        return new MigrationRequest(
                address, vmmQmp, other, stream, bandwidth, hints, precopy, balloonFirst, writes, keys);
    }

    MigrationRequest withStream(StreamOptions other) {
        return new MigrationRequest(
                address, vmmQmp, security, other, bandwidth, hints, precopy, balloonFirst, writes, keys);
    }

    MigrationRequest withBandwidth(long other) {
        return new MigrationRequest(
                address, vmmQmp, security, stream, other, hints, precopy, balloonFirst, writes, keys);
    }

    MigrationRequest withHints(HintsChoice wanted) {
        return new MigrationRequest(
                address, vmmQmp, security, stream, bandwidth, wanted, precopy, balloonFirst, writes, keys);
    }

    /** Returns this request, with the balloon inflated first. */
    public MigrationRequest withBalloonFirst() {
        return new MigrationRequest(address, vmmQmp, security, stream, bandwidth, hints, precopy, true, writes, keys);
    }

    /** Returns this request, with writes found in the given way. */
    public MigrationRequest withWrites(WritesChoice choice) {
        return new MigrationRequest(
                address, vmmQmp, security, stream, bandwidth, hints, precopy, balloonFirst, Optional.of(choice), keys);
    }

    /** Returns this request, with keys from the given files. */
    public MigrationRequest withKeys(KeyFiles files) {
        return new MigrationRequest(
                address, vmmQmp, security, stream, bandwidth, hints, precopy, balloonFirst, writes, files);
    }
}
