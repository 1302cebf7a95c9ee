package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.exomem.backend.qmp.Json;
import org.junit.jupiter.api.Test;

class PageLinesTest {
    private final StringWriter out = new StringWriter();

    private static JsonNode event(String name, String data) throws Exception {
        return Json.parse(("{'event':'" + name + "','data':" + data + ",'timestamp':{'seconds':1,'microseconds':5000}}")
                .replace('\'', '"'));
    }

    private List<String> printed(boolean json, String data) throws Exception {
        assertThat(new PageLines(new PrintWriter(out), json).print(event("PAGES", data)))
                .isTrue();
        return out.toString().lines().toList();
    }

    @Test
    void messagesThatWereLostAreToldAfterThoseThatWereNot() throws Exception {
        String data = "{'vm':'a','pages':[{'kind':'unplugged','address':4294967296,'length':4194304}],'lost':12}";
        assertThat(printed(false, data).stream().map(line -> line.replaceFirst("^\\S+", "T")))
                .containsExactly(
                        "T  unplugged     0x100000000  4 MiB",
                        "T  12 messages lost: they arrived faster than they were read");
    }

    @Test
    void jsonHasAnObjectALineAlsoForWhatWasLost() throws Exception {
        assertThat(printed(true, "{'vm':'a','pages':[{'kind':'reset'}],'lost':12}"))
                .containsExactly(
                        "{\"timestamp\":{\"seconds\":1,\"microseconds\":5000},\"kind\":\"reset\"}",
                        "{\"timestamp\":{\"seconds\":1,\"microseconds\":5000},\"kind\":\"lost\",\"messages\":12}");
    }

    @Test
    void otherEventsAreNotPrinted() throws Exception {
        assertThat(new PageLines(new PrintWriter(out), false).print(event("BALLOON_CHANGE", "{'vm':'a'}")))
                .isFalse();
        assertThat(out.toString()).isEmpty();
    }
}
