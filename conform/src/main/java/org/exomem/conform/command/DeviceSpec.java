package org.exomem.conform.command;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.cli.options.UsageException;
import org.exomem.conform.strict.scene.MemState;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.BalloonFeatures;

/**
 * The device that a user wants the runner to act as, such as {@code mem,addr=4G,size=1G}.
 *
 * @param mem the memory device's region; a balloon does not use it
 */
record DeviceSpec(Offer offer, MemState mem) {
    static final String FORMS = "balloon or mem, with options after commas";

    private static final Pattern SIZE = Pattern.compile("(\\d{1,15})([KMGT]?)");

    static DeviceSpec parse(String text) throws UsageException {
        String[] words = text.split(",", -1);
        boolean isMem = switch (words[0].toLowerCase(Locale.ROOT)) {
            case "balloon" -> false;
            case "mem" -> true;
            default -> throw new UsageException("--as-device " + text + ": expected " + FORMS);
        };
        Offer offer = Offer.of(isMem ? DeviceType.MEM : DeviceType.BALLOON);
        long features = offer.features();
        long address = 4L << 30;
        long size = 1L << 30;
        long block = 4L << 20;
        for (int i = 1; i < words.length; i++) {
            String[] option = words[i].split("=", 2);
            String value = option.length == 2 ? option[1] : "";
            long bit = switch (option[0]) {
                case "packed" -> Features.RING_PACKED;
                case "in-order" -> Features.IN_ORDER;
                case "event-idx" -> Features.EVENT_IDX;
                case "indirect" -> Features.INDIRECT_DESC;
                case "deflate-on-oom" -> BalloonFeatures.DEFLATE_ON_OOM;
                default -> 0;
            };
            if (bit != 0) {
                features = isOn(text, value) ? features | bit : features & ~bit;
                continue;
            }
            switch (option[0]) {
                case "addr" -> address = size(text, value);
                case "size" -> size = size(text, value);
                case "block" -> block = size(text, value);
                default -> throw new UsageException("--as-device " + text + ": unknown option \"" + option[0] + "\"");
            }
        }
        if (Long.bitCount(block) != 1 || address % block != 0 || size % block != 0 || size == 0) {
            throw new UsageException(
                    "--as-device " + text + ": addr and size must be multiples of block, which is a power of two");
        }
        return new DeviceSpec(offer.withFeatures(features), new MemState(address, size, block));
    }

    private static boolean isOn(String text, String value) throws UsageException {
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default -> throw new UsageException("--as-device " + text + ": a feature is \"on\" or \"off\"");
        };
    }

    private static long size(String text, String value) throws UsageException {
        Matcher matcher = SIZE.matcher(value);
        if (!matcher.matches()) {
            throw new UsageException("--as-device " + text + ": \"" + value + "\" is not a size such as 4G");
        }
        int shift = switch (matcher.group(2)) {
            case "K" -> 10;
            case "M" -> 20;
            case "G" -> 30;
            case "T" -> 40;
            default -> 0;
        };
        long number = Long.parseLong(matcher.group(1));
        if (number > Long.MAX_VALUE >> (shift + 1)) {
            throw new UsageException("--as-device " + text + ": " + value + " is too large");
        }
        return number << shift;
    }
}
