package org.exomem.backend.control;

import static org.exomem.backend.control.Type.COUNT;
import static org.exomem.backend.control.Type.TEXT;
import static org.exomem.backend.control.Type.choice;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.with;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.vm.VmEvent;

/** The format of a VM's events on the control socket. */
final class EventText {
    /** The members of each event's data, by event name (CTL-18). */
    static final Map<String, Type.Structure> TYPES = types();

    private EventText() {}

    private static Map<String, Type.Structure> types() {
        Type.Member vm = with("vm", TEXT);
        Type.Member device = with("device", TEXT);
        Type.Member id = with("id", TEXT);
        Map<String, Type.Structure> types = new TreeMap<>();
        types.put("BALLOON_CHANGE", object(vm, device, with("actual", COUNT)));
        types.put("MEMORY_DEVICE_SIZE_CHANGE", object(vm, id, with("size", COUNT)));
        types.put("JOB_STATUS_CHANGE", object(id, with("status", choice("running", "stalled", "concluded"))));
        types.put(
                "GUEST_VIOLATION",
                object(
                        vm,
                        id,
                        with("bytes", COUNT),
                        with("blocks", COUNT),
                        with("action", choice("report", "punch", "stop", "zero")),
                        maybe("address", COUNT)));
        types.put("MIGRATION", object(vm, with("status", TEXT)));
        types.put("PAGER", object(vm, with("status", PagerCommands.STATUS), maybe("reason", TEXT)));
        types.put("TEMPLATE_CHANGED", object(vm, with("template", TEXT), with("reason", TEXT)));
        types.put("DEVICE_CONNECTED", object(vm, device));
        types.put("DEVICE_DISCONNECTED", object(vm, device, with("reason", TEXT)));
        types.put("DEVICE_ABANDONED", object(vm, device));
        types.put("DEVICE_ADDED", object(vm, device, with("attachment", TEXT)));
        types.put("DEVICE_REMOVED", object(vm, device));
        types.put(
                "DEVICE_ERROR",
                object(vm, device, with("kind", choice("driver", "front-end", "host")), with("message", TEXT)));
        types.put("PAGES", object(vm, with("pages", list(PageRuns.TYPE)), maybe("lost", COUNT)));
        return Collections.unmodifiableMap(types);
    }

    /** An event in the format for clients. */
    static ObjectNode event(String name, ObjectNode data, Instant when) {
        ObjectNode event = Json.object().put("event", name);
        event.set("data", data);
        event.putObject("timestamp").put("seconds", when.getEpochSecond()).put("microseconds", when.getNano() / 1000);
        return event;
    }

    static String name(VmEvent event) {
        return switch (event) {
            case VmEvent.BalloonChange change -> "BALLOON_CHANGE";
            case VmEvent.MemorySizeChange change -> "MEMORY_DEVICE_SIZE_CHANGE";
            case VmEvent.JobChange change -> "JOB_STATUS_CHANGE";
            case VmEvent.GuestViolation violation -> "GUEST_VIOLATION";
            case VmEvent.MigrationChange migration -> "MIGRATION";
            case VmEvent.PagerChange pager -> "PAGER";
            case VmEvent.TemplateChange template -> "TEMPLATE_CHANGED";
            case VmEvent.Connected connected -> "DEVICE_CONNECTED";
            case VmEvent.Disconnected gone -> "DEVICE_DISCONNECTED";
            case VmEvent.Abandoned abandoned -> "DEVICE_ABANDONED";
            case VmEvent.Added added -> "DEVICE_ADDED";
            case VmEvent.Removed removed -> "DEVICE_REMOVED";
            case VmEvent.Fault fault -> "DEVICE_ERROR";
        };
    }

    static ObjectNode data(VmEvent event) {
        ObjectNode data = Json.object();
        return switch (event) {
            case VmEvent.BalloonChange change -> place(data, change).put("actual", change.actual());
            case VmEvent.MemorySizeChange change ->
                data.put("vm", change.vm()).put("id", change.device()).put("size", change.plugged());
            case VmEvent.JobChange change ->
                data.put("id", change.job().id())
                        .put("status", MemoryCommands.word(change.job().status()));
            case VmEvent.GuestViolation violation -> {
                data.put("vm", violation.vm())
                        .put("id", violation.device())
                        .put("bytes", violation.bytes())
                        .put("blocks", violation.blocks())
                        .put("action", violation.action());
                violation.address().ifPresent(address -> data.put("address", address));
                yield data;
            }
            case VmEvent.MigrationChange migration ->
                data.put("vm", migration.vm()).put("status", migration.status());
            case VmEvent.PagerChange pager -> {
                data.put("vm", pager.vm()).put("status", pager.status());
                pager.reason().ifPresent(reason -> data.put("reason", reason));
                yield data;
            }
            case VmEvent.TemplateChange template ->
                data.put("vm", template.vm())
                        .put("template", template.template())
                        .put("reason", template.reason());
            case VmEvent.Connected connected -> place(data, connected);
            case VmEvent.Disconnected gone -> place(data, gone).put("reason", gone.reason());
            case VmEvent.Abandoned abandoned -> place(data, abandoned);
            case VmEvent.Added added -> place(data, added).put("attachment", added.attachment());
            case VmEvent.Removed removed -> place(data, removed);
            case VmEvent.Fault fault ->
                place(data, fault)
                        .put(
                                "kind",
                                fault.kind().name().toLowerCase(Locale.ROOT).replace('_', '-'))
                        .put("message", fault.message());
        };
    }

    private static ObjectNode place(ObjectNode data, VmEvent event) {
        return data.put("vm", event.vm()).put("device", event.device());
    }

    /**
     * The limit that all connections and disconnections of a device's front-ends share. Any user who may open the device's
     * socket can cause many of them.
     */
    static String connectionLimit(VmEvent of) {
        return "connection " + of.vm() + "/" + of.device();
    }

    /** The limit of one event a second that applies to an event (CTL-10). Empty if the event is never frequent. */
    static Optional<String> limit(VmEvent event) {
        String what = name(event) + " ";
        return switch (event) {
            case VmEvent.BalloonChange change -> Optional.of(what + change.vm());
            case VmEvent.MemorySizeChange change -> Optional.of(what + change.vm() + "/" + change.device());
            case VmEvent.JobChange change -> Optional.of(what + change.job().id());
            case VmEvent.Fault fault -> Optional.of(what + fault.kind() + " " + fault.vm() + "/" + fault.device());
            case VmEvent.GuestViolation violation -> Optional.empty();
            case VmEvent.MigrationChange migration -> Optional.empty();
            case VmEvent.PagerChange pager -> Optional.of(what + pager.vm());
            case VmEvent.TemplateChange template -> Optional.empty();
            case VmEvent.Connected connected -> Optional.of(connectionLimit(connected));
            case VmEvent.Disconnected gone -> Optional.of(connectionLimit(gone));
            case VmEvent.Abandoned abandoned -> Optional.empty();
            case VmEvent.Added added -> Optional.empty();
            case VmEvent.Removed removed -> Optional.empty();
        };
    }
}
