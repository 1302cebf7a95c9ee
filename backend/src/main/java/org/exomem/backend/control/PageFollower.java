package org.exomem.backend.control;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.netty.channel.ChannelHandlerContext;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.pages.PageSubscription;
import org.jspecify.annotations.Nullable;

/**
 * A client's subscriptions to VMs' pages (CTL-17): the client gets events {@code PAGES} until its connection ends. Looks for
 * messages every 50 ms while there is a subscription. A client that does not read gets no more events; its messages wait,
 * and are then dropped and counted. On the control socket's loop.
 */
@SuppressWarnings("FutureReturnValueIgnored") // Netty's loop logs the exceptions of its tasks. No task is waited for
final class PageFollower {
    private static final int MESSAGES = 1 << 15;
    /** The most messages in one event. Each takes about 100 bytes. */
    private static final int BATCH = 512;

    private static final long LOOK_AGAIN_MILLIS = 50;

    private final ChannelHandlerContext context;
    private final Consumer<JsonNode> send;
    private final Map<String, Followed> followed = new LinkedHashMap<>();
    private boolean looking;
    private boolean closed;

    private static final class Followed {
        final VirtualMachine vm;

        @Nullable
        PageSubscription subscription;

        long lostBefore;

        Followed(VirtualMachine vm) {
            this.vm = vm;
        }
    }

    /** @param send sends a line to the client */
    PageFollower(ChannelHandlerContext context, Consumer<JsonNode> send) {
        this.context = context;
        this.send = send;
    }

    /** Subscribes to a VM until the connection ends. */
    CompletableFuture<JsonNode> follow(VirtualMachine vm) {
        Followed before = followed.get(vm.name());
        if (before != null && before.vm == vm) {
            throw QmpException.generic("this connection already follows VM \"" + vm.name() + "\"");
        }
        if (before != null && before.subscription != null) {
            // It belongs to a VM of that name that was removed since.
            before.subscription.close();
        }
        Followed entry = new Followed(vm);
        followed.put(vm.name(), entry);
        return vm.followPages(MESSAGES)
                .whenCompleteAsync((subscription, failure) -> began(vm.name(), entry, subscription), context.executor())
                .thenApply(subscription -> Json.object());
    }

    private void began(String vm, Followed entry, @Nullable PageSubscription subscription) {
        if (subscription == null) {
            followed.remove(vm, entry);
        } else if (closed || followed.get(vm) != entry) {
            subscription.close();
        } else {
            entry.subscription = subscription;
            if (!looking) {
                looking = true;
                lookLater();
            }
        }
    }

    private void lookLater() {
        context.executor().schedule(this::look, LOOK_AGAIN_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look() {
        if (closed) {
            return;
        }
        followed.forEach(this::tell);
        lookLater();
    }

    private void tell(String vm, Followed entry) {
        PageSubscription subscription = entry.subscription;
        if (subscription == null) {
            return;
        }
        // Not more than waited at first, so that other clients get their turn.
        for (int batch = 0; batch < MESSAGES / BATCH && context.channel().isWritable(); batch++) {
            PageRuns runs = new PageRuns();
            int messages = subscription.drain(runs, BATCH);
            long lost = subscription.hintsDropped() + subscription.losses();
            if (messages == 0 && lost == entry.lostBefore) {
                return;
            }
            send.accept(event(vm, runs, lost - entry.lostBefore));
            entry.lostBefore = lost;
        }
    }

    private static ObjectNode event(String vm, PageRuns runs, long lost) {
        ObjectNode data = Json.object().put("vm", vm);
        data.set("pages", runs.end());
        if (lost > 0) {
            data.put("lost", lost);
        }
        return EventText.event("PAGES", data, Instant.now());
    }

    /** Ends all subscriptions, because the client has gone. */
    void close() {
        closed = true;
        for (Followed entry : followed.values()) {
            if (entry.subscription != null) {
                entry.subscription.close();
            }
        }
    }
}
