package org.exomem.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** One VM's balloon on exomem's control socket. Sizes are bytes. */
public final class BalloonControl {

    private final QmpClient control;
    private final String vm;

    BalloonControl(QmpClient control, String vm) {
        this.control = control;
        this.vm = vm;
    }

    /** Requests a logical size of the VM. The balloon's target is the VM's memory minus this size. */
    public void resize(long bytes) throws IOException {
        control.execute("balloon", Map.of("vm", vm, "value", bytes));
    }

    /** Returns the VM's logical size, from the driver's last report. */
    public long actual() throws IOException {
        return query("query-balloon").path("actual").asLong();
    }

    /** Returns the bytes in the balloon, as counted by the back-end. */
    public long ballooned() throws IOException {
        return query("query-balloon").path("ballooned").asLong();
    }

    public boolean isConnected() throws IOException {
        return description().path("connected").asBoolean();
    }

    /** Returns the names of the features that the driver acknowledged. */
    public Set<String> features() throws IOException {
        return StreamSupport.stream(description().path("features").spliterator(), false)
                .map(JsonNode::asText)
                .collect(Collectors.toUnmodifiableSet());
    }

    /** Returns {@code stats}, by QEMU's names, and {@code last-update}. */
    public JsonNode statistics() throws IOException {
        return query("query-balloon-stats");
    }

    /** Fetches statistics every {@code seconds}; 0 stops that. */
    public void statisticsInterval(int seconds) throws IOException {
        control.execute("set-balloon-stats-interval", Map.of("vm", vm, "interval", seconds));
    }

    /** Starts, stops or ends ({@code done}) a hint session. */
    public void hint(String action) throws IOException {
        control.execute("free-page-hint", Map.of("vm", vm, "action", action));
    }

    /** Asks the driver for a bitmap of its free pages. */
    public void askForFreePages() throws IOException {
        control.execute("free-pages", Map.of("vm", vm));
    }

    /** Asks the driver for free blocks of at least that size, a power of two. */
    public void askForFreePages(long smallest) throws IOException {
        control.execute("free-pages", Map.of("vm", vm, "smallest", smallest));
    }

    /** Ends a request for a bitmap of free pages. */
    public void cancelFreePages() throws IOException {
        control.execute("free-pages-cancel", Map.of("vm", vm));
    }

    /**
     * Returns the {@code state} of the last request for a bitmap of free pages, its {@code id}, the free {@code bytes},
     * and the number of {@code chunks} of the answer.
     */
    public JsonNode bitmap() throws IOException {
        return query("query-free-pages").path("bitmap");
    }

    /**
     * Returns the {@code state} of the hint session, and the bytes {@code hinted}, {@code reported} and {@code
     * discarded}.
     */
    public JsonNode freePages() throws IOException {
        return query("query-free-pages");
    }

    private JsonNode query(String command) throws IOException {
        return control.execute(command, Map.of("vm", vm));
    }

    private JsonNode description() throws IOException {
        for (JsonNode description : control.execute("query-vms")) {
            if (description.path("name").asText().equals(vm)) {
                return description;
            }
        }
        throw new IOException("the back-end knows no VM " + vm);
    }
}
