package org.exomem.conform.checks.config;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Outcome;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;

/** The config space, over GET_CONFIG and SET_CONFIG. */
final class ConfigSpaceChecks {
    /** The largest possible config space, in bytes, for QEMU and others. */
    private static final int LARGEST = 256;

    private static final int NOWHERE = 0x7fff_f000;
    private static final int[] BALLOON_FIELDS = {4, 4, 4, 4};
    private static final int[] MEM_FIELDS = {8, 2, 6, 8, 8, 8, 8, 8};
    private static final int[] UNKNOWN_FIELDS = {1, 1, 1, 1};
    private static final int BALLOON_NUM_PAGES = 0;
    private static final int MEM_REQUESTED_SIZE = 48;

    static final List<Check> ALL = List.of(
            Check.of(
                    "config.6",
                    "Each field of the config space can be read before FEATURES_OK",
                    ConfigSpaceChecks::readableBeforeFeatures),
            Check.of(
                    "vhost.config.1",
                    "The reply to GET_CONFIG has as many bytes as requested",
                    ConfigSpaceChecks::sizesMatch),
            Check.of(
                    "vhost.config.2",
                    "GET_CONFIG outside of the config space is answered with an empty payload",
                    ConfigSpaceChecks::emptyPayloadIsTheError),
            Check.of(
                            "vhost.config.5",
                            "A write of the driver does not change num_pages of a balloon",
                            trial -> readOnlyFieldStays(trial, BALLOON_NUM_PAGES, Integer.BYTES))
                    .on(DeviceType.BALLOON),
            Check.of(
                            "vhost.config.5",
                            "A write of the driver does not change requested_size of a memory device",
                            trial -> readOnlyFieldStays(trial, MEM_REQUESTED_SIZE, Long.BYTES))
                    .on(DeviceType.MEM));

    private ConfigSpaceChecks() {}

    private static int[] fields(Trial trial) {
        return switch (trial.type()) {
            case BALLOON -> BALLOON_FIELDS;
            case MEM -> MEM_FIELDS;
            default -> UNKNOWN_FIELDS;
        };
    }

    private static void readableBeforeFeatures(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        trial.requireFeatures(frontEnd.getFeatures(), Features.PROTOCOL_FEATURES);
        long offered = frontEnd.getProtocolFeatures();
        trial.requireProtocol(offered, Protocol.CONFIG);
        frontEnd.setProtocolFeatures(offered & (Protocol.CONFIG | Protocol.REPLY_ACK));
        int offset = 0;
        for (int size : fields(trial)) {
            frontEnd.getConfig(offset, size);
            offset += size;
        }
    }

    private static Reply ask(FrontEnd frontEnd, int offset, int size) throws IOException {
        frontEnd.send(
                Request.GET_CONFIG, Connection.VERSION, Payload.config(offset, size, 0, new byte[size]), List.of());
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        return reply;
    }

    private static void sizesMatch(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIG));
        int all = Arrays.stream(fields(trial)).sum();
        for (int size = 1; size <= all; size++) {
            int came = ask(session.frontEnd(), 0, size).payload().length - Payload.CONFIG_HEADER_SIZE;
            trial.expect(came == size, "GET_CONFIG of " + size + " bytes was answered with " + came);
        }
        // The device's config space may be smaller. Then the back-end answers with an error, or pads the rest.
        int came = ask(session.frontEnd(), 0, LARGEST).payload().length;
        trial.expect(
                came == 0 || came == Payload.CONFIG_HEADER_SIZE + LARGEST,
                "GET_CONFIG of " + LARGEST + " bytes was answered with a payload of " + came
                        + " bytes; expected was an empty payload or the requested length");
    }

    private static void emptyPayloadIsTheError(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIG));
        Outcome outcome;
        try {
            int came = ask(session.frontEnd(), NOWHERE, 4).payload().length;
            outcome = came == 0 ? new Outcome.RefusedBy("an empty payload") : new Outcome.Accepted();
        } catch (IOException e) {
            if (!Closing.is(e)) {
                throw e;
            }
            outcome = new Outcome.ClosedConnection();
        }
        trial.expectRefused(outcome, "GET_CONFIG of 4 bytes at 0x" + Integer.toHexString(NOWHERE));
    }

    private static void readOnlyFieldStays(Trial trial, int offset, int size) throws IOException {
        byte[] before;
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIG));
        before = session.frontEnd().getConfig(offset, size);
        byte[] other = before.clone();
        for (int i = 0; i < size; i++) {
            other[i] ^= 0x11;
        }
        Outcome outcome = session.attempt(Request.SET_CONFIG, Payload.config(offset, size, 0, other), List.of());
        Session after = session;
        if (outcome instanceof Outcome.ClosedConnection) {
            trial.refused("SET_CONFIG of a read-only field");
            after = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIG));
        }
        byte[] now = after.frontEnd().getConfig(offset, size);
        trial.expect(
                Arrays.equals(now, before),
                "the read-only field at " + offset + " was " + Arrays.toString(before) + ", and is "
                        + Arrays.toString(now) + " after SET_CONFIG with flags 0");
    }
}
