package org.exomem.embedded;

import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * An embedded VMM with its guest in a process of its own, controlled over QMP. It prints {@code ready} on standard
 * output when its socket listens. Exit codes: 0 after {@code quit}, 1 when its guest has failed (standard error says
 * why), 2 for a usage error.
 */
public final class EmbeddedVmm {
    private static final Duration LONG = Duration.ofDays(365);
    private static final int FAILED = 1;
    private static final int MISUNDERSTOOD = 2;

    private EmbeddedVmm() {}

    public static void main(String[] arguments) throws InterruptedException {
        System.exit(run(arguments));
    }

    private static int run(String[] arguments) throws InterruptedException {
        try (EmbeddedGuest guest = EmbeddedGuest.start(EmbeddedOptions.of(words(arguments)))) {
            Runtime.getRuntime().addShutdownHook(new Thread(guest::close));
            System.out.println("ready");
            System.out.flush();
            while (!guest.awaitEnd(LONG)) {
                // No limit: it runs until the command quit.
            }
            String failure = guest.failure();
            if (failure == null) {
                return 0;
            }
            System.err.println("exomem embedded guest: " + failure);
            return FAILED;
        } catch (IllegalArgumentException e) {
            System.err.println("EmbeddedVmm: " + e.getMessage() + "\nusage: EmbeddedVmm ram=FILE size=512M qmp=SOCKET"
                    + " [low=2G] [log=FILE] [balloon=SOCKET] [hints=honest|lying|silent] [processors=2] [seed=1]"
                    + " [incoming=on]");
            return MISUNDERSTOOD;
        } catch (IOException e) {
            System.err.println("EmbeddedVmm: " + e.getMessage());
            return FAILED;
        }
    }

    private static Map<String, String> words(String[] arguments) {
        Map<String, String> words = new HashMap<>();
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (equals < 0 || words.put(argument.substring(0, equals), argument.substring(equals + 1)) != null) {
                throw new IllegalArgumentException("\"" + argument + "\" is not KEY=VALUE, or is a duplicate");
            }
        }
        return words;
    }
}
