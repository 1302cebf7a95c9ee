package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import org.exomem.cli.options.ExitCode;

/** Prints what a VM's devices learn of its pages, until a signal comes or the VM's VMM has gone. */
final class PagesWatch {
    /** Longer than a message of a device can take, so that nothing of a VM that has gone is missed. */
    private static final Duration QUIET = Duration.ofSeconds(1);

    private final ControlOption.Session session;
    private final String vm;
    private final Output output;

    /** @param session has subscribed to the VM already */
    PagesWatch(ControlOption.Session session, String vm, Output output) {
        this.session = session;
        this.vm = vm;
        this.output = output;
    }

    /**
     * Prints until the VMM has gone; returns the exit code.
     *
     * @param goesOn the message at Ctrl-C about what goes on; empty if nothing does
     * @return also if the output can't be written any more; {@link org.exomem.cli.options.Streams#end} reports that
     */
    int untilGone(String goesOn) throws IOException {
        boolean came = !session.waitsForVmm(vm);
        if (!came) {
            output.note("no VMM is connected for VM \"" + vm + "\"; waiting for one");
        }
        PageLines lines = new PageLines(output.out(), output.isJson());
        try (EndOnSignal _ = EndOnSignal.after(() -> {
            lines.end();
            if (!goesOn.isEmpty()) {
                output.note(goesOn);
            }
        })) {
            long news = System.nanoTime();
            while (true) {
                JsonNode event = session.client().event(QUIET);
                if (event != null && lines.print(event)) {
                    if (!lines.areWritten()) {
                        return ExitCode.OK;
                    }
                    news = System.nanoTime();
                } else if (System.nanoTime() - news >= QUIET.toNanos()) {
                    news = System.nanoTime();
                    boolean gone = session.waitsForVmm(vm);
                    if (came && gone) {
                        output.note("VM \"" + vm + "\": its VMM disconnected");
                        return ExitCode.OK;
                    }
                    came |= !gone;
                } else if (event != null) {
                    came |= event.path("event").asText().equals("DEVICE_CONNECTED")
                            && event.path("data").path("vm").asText().equals(vm);
                }
            }
        }
    }
}
