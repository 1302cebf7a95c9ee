package org.exomem.conform.wire;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.Map;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;

/** Messages as text for people: names of requests, and the fields of payloads whose size is right. */
public final class MessageText {
    private static final Map<Integer, String> REQUESTS = names(Request.class);
    private static final Map<Integer, String> CHANNEL_REQUESTS = names(Request.BackEnd.class);
    private static final int RING_STATE = 8;

    private MessageText() {}

    private static Map<Integer, String> names(Class<?> constants) {
        Map<Integer, String> names = new HashMap<>();
        for (Field field : constants.getFields()) {
            if (Modifier.isStatic(field.getModifiers()) && field.getType() == int.class) {
                try {
                    names.put(field.getInt(null), field.getName());
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(e);
                }
            }
        }
        return names;
    }

    /** The name of a front-end's request, such as GET_FEATURES. */
    public static String requestName(int request) {
        return REQUESTS.getOrDefault(request, "request " + Integer.toUnsignedString(request));
    }

    /** A front-end's request as text. */
    static String request(byte[] message, int fds) {
        return text(message, fds, REQUESTS, false);
    }

    /** The back-end's answer as text. */
    static String reply(byte[] message, int fds) {
        return text(message, fds, REQUESTS, true);
    }

    /** A back-end's own request as text. */
    static String channelRequest(byte[] message, int fds) {
        return text(message, fds, CHANNEL_REQUESTS, false);
    }

    /** The front-end's answer as text. */
    static String channelReply(byte[] message, int fds) {
        return text(message, fds, CHANNEL_REQUESTS, true);
    }

    /** The bytes of a message as on the wire. */
    static byte[] bytes(Reply message) {
        return Connection.encode(message.request(), message.flags(), message.payload());
    }

    private static String text(byte[] message, int fds, Map<Integer, String> names, boolean reply) {
        if (message.length < Connection.HEADER_SIZE) {
            return message.length + " bytes, which are not a complete header";
        }
        ByteBuffer buffer = ByteBuffer.wrap(message).order(ByteOrder.nativeOrder());
        int request = buffer.getInt(0);
        int flags = buffer.getInt(4);
        int size = buffer.getInt(8);
        ByteBuffer payload = buffer.slice(Connection.HEADER_SIZE, message.length - Connection.HEADER_SIZE)
                .order(buffer.order());
        StringBuilder text =
                new StringBuilder(names.getOrDefault(request, "request " + Integer.toUnsignedString(request)));
        int usual = reply ? Reply.REPLY_FLAGS : Connection.VERSION;
        if ((flags & ~Connection.NEED_REPLY) != usual) {
            text.append(" flags 0x").append(Integer.toHexString(flags));
        } else if ((flags & Connection.NEED_REPLY) != 0) {
            text.append(" need-reply");
        }
        if (size != payload.remaining()) {
            text.append(" size ")
                    .append(Integer.toUnsignedString(size))
                    .append(" but ")
                    .append(payload.remaining());
        }
        text.append(fields(request, payload, names == REQUESTS));
        if (fds > 0) {
            text.append(" with ").append(fds).append(fds == 1 ? " descriptor" : " descriptors");
        }
        return text.toString();
    }

    private static String fields(int request, ByteBuffer payload, boolean frontEnd) {
        int size = payload.remaining();
        if (size == 0) {
            return "";
        }
        if (frontEnd) {
            switch (request) {
                case Request.SET_VRING_NUM,
                        Request.SET_VRING_BASE,
                        Request.GET_VRING_BASE,
                        Request.SET_VRING_ENABLE,
                        Request.VRING_KICK -> {
                    if (size == RING_STATE) {
                        return " ring " + payload.getInt(0) + " number "
                                + hex(Integer.toUnsignedLong(payload.getInt(4)));
                    }
                }
                case Request.SET_VRING_ADDR -> {
                    if (size == 40) {
                        return " ring " + payload.getInt(0) + " flags " + payload.getInt(4) + " descriptors "
                                + hex(payload.getLong(8)) + " used " + hex(payload.getLong(16)) + " available "
                                + hex(payload.getLong(24)) + " log " + hex(payload.getLong(32));
                    }
                }
                case Request.SET_MEM_TABLE -> {
                    if (size >= 8 && (size - 8) % Payload.REGION_SIZE == 0) {
                        StringBuilder regions = new StringBuilder(" " + payload.getInt(0) + " regions");
                        for (int at = 8; at < size; at += Payload.REGION_SIZE) {
                            regions.append(region(payload, at));
                        }
                        return regions.toString();
                    }
                }
                case Request.ADD_MEM_REG, Request.REM_MEM_REG -> {
                    if (size == 8 + Payload.REGION_SIZE) {
                        return region(payload, 8);
                    }
                }
                case Request.GET_CONFIG, Request.SET_CONFIG -> {
                    if (size >= Payload.CONFIG_HEADER_SIZE) {
                        return " offset " + Integer.toUnsignedString(payload.getInt(0)) + " size "
                                + Integer.toUnsignedString(payload.getInt(4)) + " flags " + payload.getInt(8);
                    }
                }
                case Request.SET_LOG_BASE -> {
                    if (size == 16) {
                        return " size " + payload.getLong(0) + " offset " + payload.getLong(8);
                    }
                }
                case Request.GET_INFLIGHT_FD, Request.SET_INFLIGHT_FD -> {
                    if (size == Payload.INFLIGHT_SIZE) {
                        return " size " + payload.getLong(0) + " offset " + payload.getLong(8) + " queues "
                                + Short.toUnsignedInt(payload.getShort(16)) + " of "
                                + Short.toUnsignedInt(payload.getShort(18));
                    }
                }
                case Request.SET_DEVICE_STATE_FD -> {
                    if (size == 8 && payload.getInt(0) <= 1) {
                        return payload.getInt(0) == 0 ? " save" : " load";
                    }
                }
                default -> {
                    // The reply is a number, or bytes.
                }
            }
        }
        return size == Long.BYTES ? " " + hex(payload.getLong(0)) : " " + size + " bytes";
    }

    private static String region(ByteBuffer payload, int at) {
        return " [guest " + hex(payload.getLong(at)) + " size " + hex(payload.getLong(at + 8)) + " user "
                + hex(payload.getLong(at + 16)) + " offset " + hex(payload.getLong(at + 24)) + "]";
    }

    private static String hex(long number) {
        return number >= 0 && number < 10 ? Long.toString(number) : "0x" + Long.toHexString(number);
    }
}
