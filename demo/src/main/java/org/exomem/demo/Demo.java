package org.exomem.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.migrate.PostCopyPractice;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;

/**
 * The whole life of a guest with a balloon and a memory device, step by step, with measurements. There are three
 * processes: this one is the operator, which uses the control socket of the second one, the back-end. The third is the
 * guest, without a VMM. At the end another guest, with an embedded VMM, migrates to a second back-end, and back. It
 * becomes a template from which clones run, and migrates once more, before its memory (post-copy).
 */
public final class Demo {
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 512 * MIB;
    private static final long SMALL = 128 * MIB;
    /** Bytes of the memory device. */
    private static final long GROWN = 384 * MIB;

    private static final long SHRUNK = 64 * MIB;

    private final PrintWriter out;
    private final GuestProcess guest;
    private final QmpClient control;
    private int step;

    private Demo(PrintWriter out, GuestProcess guest, QmpClient control) {
        this.out = out;
        this.guest = guest;
        this.control = control;
    }

    /**
     * Runs the demo.
     *
     * @param inThisProcess runs the back-end in this process, to train the AOT cache
     * @throws IOException if a step failed, or measured too little
     */
    public static void run(PrintWriter out, boolean inThisProcess) throws IOException {
        long begin = System.nanoTime();
        Started started = new Started();
        String log = "";
        try (started) {
            Path folder = started.folder(Path.of(System.getProperty("java.io.tmpdir")));
            try {
                run(out, inThisProcess, started, folder);
            } finally {
                log = DemoServer.log(folder);
            }
        } catch (IOException | QmpException e) {
            if (started.isInterrupted()) {
                Started.awaitEndOfProcess();
            }
            throw new DemoFailure(e.getMessage() + log, e);
        }
        out.println(String.format(Locale.ROOT, "All steps succeeded, in %.1f s.", (System.nanoTime() - begin) / 1e9));
        out.flush();
    }

    private static void run(PrintWriter out, boolean inThisProcess, Started started, Path folder) throws IOException {
        Path socket = folder.resolve("balloon.sock");
        Path memorySocket = folder.resolve("memory.sock");
        Path controlSocket = folder.resolve("control.sock");
        DemoServer server = DemoServer.start(
                started, inThisProcess, controlSocket, folder, DemoServer.devices(socket, memorySocket, folder));
        GuestProcess guest = started.add(() -> GuestProcess.start(socket, MEMORY, memorySocket));
        try (QmpClient control = QmpClient.connect(controlSocket)) {
            Demo demo = new Demo(out, guest, control);
            demo.say("serve", server.describe());
            demo.life();
            if (inThisProcess) {
                demo.practise();
                PostCopyPractice.run(folder);
            }
            guest.close();
            try (DemoMigration migration = new DemoMigration(started, inThisProcess, folder, control)) {
                demo.migration(migration);
                demo.clones(new DemoClones(started, folder, migration.template()));
                demo.postCopy(migration);
                migration.verify();
            }
        }
    }

    private void life() throws IOException {
        negotiate();
        resize();
        statistics();
        hints();
        reporting();
        memory();
    }

    private void negotiate() throws IOException {
        say("attach", guest.step("attach").text());
        JsonNode vm = ask("query-vms", Json.object()).path(0);
        check(
                vm.path("connected").asBoolean() && vm.path("memory").asLong() == MEMORY,
                "the VM is not connected: " + vm);
        say("features", String.join(", ", names(vm.path("features"))));
        say("fill", guest.step("fill").text());
    }

    private void resize() throws IOException {
        GuestProcess.Answer inflated = balloonTo(SMALL);
        long returned = inflated.number("hostBefore") - inflated.number("hostAfter");
        check(
                returned >= (MEMORY - SMALL) / 10 * 9,
                "only " + ByteSize.format(returned) + " were returned to the host");
        say("inflate", inflated.text());
        JsonNode balloon = ask("query-balloon", vm());
        check(balloon.path("actual").asLong() == SMALL, "the guest does not have the requested size: " + balloon);
        say(
                "",
                "the guest has " + size(balloon, "actual") + " left, " + size(balloon, "ballooned")
                        + " are in the balloon");
        say("deflate", balloonTo(MEMORY).text());
        check(ask("query-balloon", vm()).path("ballooned").asLong() == 0, "pages were left in the balloon");
        say("fill", guest.step("fill").text());
    }

    private GuestProcess.Answer balloonTo(long bytes) throws IOException {
        guest.tell("follow");
        ask("balloon", vm().put("value", bytes));
        return guest.answer("follow");
    }

    private void statistics() throws IOException {
        guest.tell("statistics");
        JsonNode stats = ask("query-balloon-stats", vm());
        String told = guest.answer("statistics").text();
        long end = System.nanoTime() + 2_000_000_000L;
        while (stats.path("stats").size() < 10 && System.nanoTime() < end) {
            control.event(Duration.ofMillis(5));
            stats = ask("query-balloon-stats", vm());
        }
        check(stats.path("stats").size() >= 10, "too few statistics arrived: " + stats);
        say("statistics", told);
    }

    private void hints() throws IOException {
        guest.tell("hint");
        ask("free-page-hint", vm().put("action", "start"));
        GuestProcess.Answer hinted = guest.answer("hint");
        JsonNode pages = ask("query-free-pages", vm());
        check(
                pages.path("hinted").asLong() == hinted.number("hinted"),
                "the guest hinted " + hinted.number("hinted") + " bytes: " + pages);
        say("hints", hinted.text());
        guest.tell("hints-done");
        ask("free-page-hint", vm().put("action", "done"));
        say("hints done", guest.answer("hints-done").text());
    }

    private void reporting() throws IOException {
        GuestProcess.Answer reported = guest.step("report");
        long returned = reported.number("hostBefore") - reported.number("hostAfter");
        check(
                returned >= reported.number("reported") / 10 * 9,
                "only " + ByteSize.format(returned) + " were returned to the host");
        say("report", reported.text());
        JsonNode pages = ask("query-free-pages", vm());
        say("", size(pages, "discarded") + " were returned to the host in total");
    }

    private void memory() throws IOException {
        say("attach", guest.step("attach-memory").text());
        GuestProcess.Answer grown = memoryTo(GROWN);
        check(
                grown.number("hostAfter") - grown.number("hostBefore") >= GROWN,
                "the guest did not get the host's memory: " + grown.text());
        say("grow", grown.text());
        GuestProcess.Answer shrunk = memoryTo(SHRUNK);
        check(
                shrunk.number("hostBefore") - shrunk.number("hostAfter") >= GROWN - SHRUNK,
                "too little was returned to the host: " + shrunk.text());
        say("shrink", shrunk.text());
        JsonNode device = ask("query-memory-devices", Json.object()).path(0).path("data");
        check(device.path("size").asLong() == SHRUNK, "the guest does not have the requested size: " + device);
        JsonNode job = device.path("job");
        check(job.path("outcome").asText().equals("done"), "the resize is not done: " + job);
        say("", "the job " + job.path("id").asText() + " is done, " + size(device, "size") + " are plugged");
    }

    /**
     * The guest's plug requests are few, and a process that has just started would interpret the code. The AOT cache
     * keeps what the JVM compiled in its training, and makes the JVM compile it early.
     */
    private void practise() throws IOException {
        say("practise", guest.step("practise").text());
    }

    private GuestProcess.Answer memoryTo(long bytes) throws IOException {
        guest.tell("resize");
        ask("mem-resize", vm().put("id", DemoServer.MEMORY_DEVICE).put("size", bytes));
        return guest.answer("resize");
    }

    private void migration(DemoMigration migration) throws IOException {
        say("work", migration.work());
        Moved without = migration.there();
        say("migrate", "to a second exomem, without asking for free pages: " + without.text());
        say("", without.sameText());
        Moved with = migration.back();
        say("migrate", "and back, with a bitmap of its free pages: " + with.text());
        say("", with.sameText());
        Moved.table("not asked", without, "bitmap", with).forEach(line -> say("", line));
        check(
                with.sentBytes() * 4 < without.sentBytes(),
                "the guest's bitmap saved too little: " + ByteSize.format(with.sentBytes()) + " were sent with it, "
                        + ByteSize.format(without.sentBytes()) + " without");
        say(
                "",
                String.format(
                        Locale.ROOT,
                        "with the bitmap: %.1f times fewer bytes, %.1f times as fast",
                        (double) without.sentBytes() / with.sentBytes(),
                        (double) without.millis() / Math.max(1, with.millis())));
    }

    private void clones(DemoClones clones) throws IOException {
        say("template", clones.template());
        say("clone", clones.run());
        say("", clones.write());
        say("", clones.memory());
    }

    private void postCopy(DemoMigration migration) throws IOException {
        String what = "post-copy";
        for (String line : migration.postCopy()) {
            say(what, line);
            what = "";
        }
    }

    private JsonNode ask(String command, ObjectNode arguments) throws IOException {
        return control.execute(command, arguments);
    }

    private static ObjectNode vm() {
        return Json.object().put("vm", DemoServer.VM);
    }

    private static String size(JsonNode from, String key) {
        return ByteSize.format(from.path(key).asLong());
    }

    private static List<String> names(JsonNode list) {
        return list.valueStream().map(JsonNode::asText).toList();
    }

    private static void check(boolean right, String otherwise) throws DemoFailure {
        if (!right) {
            throw new DemoFailure(otherwise);
        }
    }

    private void say(String what, String measured) {
        String number = what.isEmpty() ? "" : Integer.toString(++step);
        out.println(String.format(Locale.ROOT, "%2s  %-11s %s", number, what, measured));
        out.flush();
    }
}
