package org.exomem.conform.explore;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.exomem.conform.wire.MessageText;

/**
 * Scripts as text, one step per line. A number sign begins a comment.
 *
 * <pre>
 * send 8 flags 0x9 size 8 payload 0000000000010000     # SET_VRING_NUM
 * send 12 flags 0x9 size 8 payload 0000000000000000 fds kick
 * write 0x2000 01000000
 * kick 0
 * settle
 * reconnect
 * </pre>
 */
public final class ScriptText {
    private static final HexFormat HEX = HexFormat.of();

    private ScriptText() {}

    /** Writes a script as text, with a comment at each message. */
    public static String write(Script script) {
        StringBuilder text = new StringBuilder();
        for (Step step : script.steps()) {
            text.append(line(step)).append('\n');
        }
        return text.toString();
    }

    private static String line(Step step) {
        return switch (step) {
            case Step.Send send -> message(send);
            case Step.Write(long address, byte[] bytes) ->
                "write 0x" + Long.toHexString(address) + " " + HEX.formatHex(bytes);
            case Step.Kick(int ring) -> "kick " + ring;
            case Step.Settle() -> "settle";
            case Step.Reconnect() -> "reconnect";
        };
    }

    private static String message(Step.Send send) {
        StringBuilder text = new StringBuilder("send ")
                .append(Integer.toUnsignedString(send.request()))
                .append(" flags 0x")
                .append(Integer.toHexString(send.flags()))
                .append(" size ")
                .append(Integer.toUnsignedString(send.size()));
        if (send.payload().length > 0) {
            text.append(" payload ").append(HEX.formatHex(send.payload()));
        }
        if (!send.fds().isEmpty()) {
            text.append(" fds");
            send.fds().forEach(fd -> text.append(' ').append(fd.name().toLowerCase(Locale.ROOT)));
        }
        return text.append("    # ")
                .append(MessageText.requestName(send.request()))
                .toString();
    }

    /**
     * Reads a script.
     *
     * @throws IllegalArgumentException if a line is invalid; the message names it
     */
    public static Script read(List<String> lines) {
        List<Step> steps = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).replaceFirst("#.*", "").strip();
            if (!line.isEmpty()) {
                try {
                    steps.add(step(line.split("\\s+")));
                } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
                    throw new IllegalArgumentException("line " + (i + 1) + " is not a step: " + lines.get(i), e);
                }
            }
        }
        return new Script(steps);
    }

    private static Step step(String[] words) {
        return switch (words[0]) {
            case "send" -> message(words);
            case "write" -> new Step.Write(Long.parseUnsignedLong(words[1].substring(2), 16), HEX.parseHex(words[2]));
            case "kick" -> new Step.Kick(Integer.parseInt(words[1]));
            case "settle" -> new Step.Settle();
            case "reconnect" -> new Step.Reconnect();
            default -> throw new IllegalArgumentException(words[0]);
        };
    }

    private static Step message(String[] words) {
        if (!words[2].equals("flags") || !words[4].equals("size")) {
            throw new IllegalArgumentException(words[2]);
        }
        int at = 6;
        byte[] payload = {};
        if (at < words.length && words[at].equals("payload")) {
            payload = HEX.parseHex(words[at + 1]);
            at += 2;
        }
        List<Step.Attachment> fds = new ArrayList<>();
        if (at < words.length) {
            if (!words[at].equals("fds")) {
                throw new IllegalArgumentException(words[at]);
            }
            Arrays.stream(words, at + 1, words.length)
                    .map(word -> Step.Attachment.valueOf(word.toUpperCase(Locale.ROOT)))
                    .forEach(fds::add);
        }
        return new Step.Send(
                Integer.parseUnsignedInt(words[1]),
                Integer.parseUnsignedInt(words[3].substring(2), 16),
                Integer.parseUnsignedInt(words[5]),
                payload,
                fds);
    }
}
