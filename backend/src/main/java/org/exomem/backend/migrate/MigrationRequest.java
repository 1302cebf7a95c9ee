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
 * What an operator wants of a migration.
 *
 * @param address where the VM goes, or where it is waited for
 * @param vmmQmp the QMP socket of the VMM, if it is not the configured one
 * @param bandwidth bytes a second that may go to the network, 0 for no limit; of no meaning to a destination
 * @param hints how the guest is asked which pages it does not need; of no meaning to a destination
 * @param precopy of no meaning to a destination
 * @param balloonFirst whether the balloon takes what the guest can spare, before; of no meaning to a destination
 * @param writes how to learn which pages the guest writes, if not as is configured; of no meaning to a destination
 * @param keys from which {@code security} was read, for the next exomem
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
    /** With the balloon left as it is, and writes found as is configured. */
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

    /** The same, but the balloon takes first what the guest can spare. */
    public MigrationRequest withBalloonFirst() {
        return new MigrationRequest(address, vmmQmp, security, stream, bandwidth, hints, precopy, true, writes, keys);
    }

    /** The same, but with writes found so. */
    public MigrationRequest withWrites(WritesChoice choice) {
        return new MigrationRequest(
                address, vmmQmp, security, stream, bandwidth, hints, precopy, balloonFirst, Optional.of(choice), keys);
    }

    /** The same, with keys from these files. */
    public MigrationRequest withKeys(KeyFiles files) {
        return new MigrationRequest(
                address, vmmQmp, security, stream, bandwidth, hints, precopy, balloonFirst, writes, files);
    }
}
