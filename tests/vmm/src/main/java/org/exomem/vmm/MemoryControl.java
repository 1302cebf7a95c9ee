package org.exomem.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Map;

/** One memory device of a VM on exomem's control socket. Sizes are bytes. */
public final class MemoryControl {

    private final QmpClient control;
    private final String vm;
    private final String id;

    MemoryControl(QmpClient control, String vm, String id) {
        this.control = control;
        this.vm = vm;
        this.id = id;
    }

    /** Requests that so many bytes are plugged. */
    public void resize(long bytes) throws IOException {
        control.execute("mem-resize", Map.of("vm", vm, "id", id, "size", bytes));
    }

    /** Ends the present resize, if there is one. */
    public void cancel() throws IOException {
        control.execute("job-cancel", Map.of("id", job().path("id").asText()));
    }

    /** Reports to exomem that the machine was reset. */
    public void reset() throws IOException {
        control.execute("mem-reset", Map.of("vm", vm, "id", id));
    }

    /** Returns the plugged bytes. */
    public long plugged() throws IOException {
        return data().path("size").asLong();
    }

    /** Returns the requested bytes. */
    public long requested() throws IOException {
        return data().path("requested-size").asLong();
    }

    /** Returns the last resize as in {@code query-memory-devices}. */
    public JsonNode job() throws IOException {
        return data().path("job");
    }

    /** Returns {@code running}, {@code stalled}, or the outcome of the last resize. */
    public String jobStatus() throws IOException {
        JsonNode job = job();
        return job.path(job.has("outcome") ? "outcome" : "status").asText();
    }

    /** Returns what the patrol has done so far. */
    public JsonNode patrol() throws IOException {
        return data().path("patrol");
    }

    /** Returns how unplugged memory is guarded. */
    public JsonNode guard() throws IOException {
        return data().path("guard");
    }

    private JsonNode data() throws IOException {
        for (JsonNode device : control.execute("query-memory-devices")) {
            JsonNode data = device.path("data");
            if (data.path("vm").asText().equals(vm) && data.path("id").asText().equals(id)) {
                return data;
            }
        }
        throw new IOException("the back-end knows no memory device " + vm + "/" + id);
    }
}
