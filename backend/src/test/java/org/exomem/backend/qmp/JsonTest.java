package org.exomem.backend.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    private static final ObjectMapper JACKSON = new ObjectMapper();

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                " [ ] ",
                "null",
                "true",
                "-0",
                "[0,-1,2147483647,2147483648,9223372036854775807,9223372036854775808,-9223372036854775808]",
                "[18446744073709551615,1.5,-2.25e3,1E-2,0.1]",
                "{\"a\":{\"b\":[{},[],\"\",false]},\"\":1}",
                "\"\\u00e4\\\"\\\\\\/\\b\\f\\n\\r\\t ä \\ud83d\\ude00\"",
            })
    void readsAndWritesWhatJacksonDoes(String json) throws Exception {
        assertThat(Json.parse(json)).isEqualTo(JACKSON.readTree(json));
        assertThat(JACKSON.readTree(Json.line(Json.parse(json)))).isEqualTo(JACKSON.readTree(json));
        assertThat(JACKSON.readTree(Json.pretty(Json.parse(json)))).isEqualTo(JACKSON.readTree(json));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
        ``              | a value is missing
        {"a":1,"a":2}   | Duplicate field 'a', at character 11
        {"a":1,}        | Unexpected character ('}'): was expecting double-quote to start field name, at character 8
        [1 2]           | Unexpected character ('2'): was expecting comma to separate Array entries, at character 4
        [1,]            | Unexpected character (']'): expected a valid value, at character 4
        {} {}           | there is text after the end of the value
        nul             | Unrecognized token 'nul', at character 1
        01              | Invalid numeric value: Leading zeroes not allowed, at character 2
        1e400           | the number 1e400 is too large
        NaN             | Non-standard token 'NaN', at character 4
        "a              | Unexpected end-of-input: was expecting closing quote for a string value, at character 3
        "\\x"           | Unrecognized character escape 'x', at character 3
        """)
    void saysWhatIsNotJson(String json, String message) {
        assertThatThrownBy(() -> Json.parse(json))
                .isInstanceOf(JsonException.class)
                .hasMessage(message);
    }

    @Test
    void controlCharactersAreRefusedInStringsAndEscapedInWhatIsWritten() {
        assertThatThrownBy(() -> Json.parse("\"a\u0001\"")).hasMessageContaining("code 1");
        assertThat(Json.text(Json.object().put("a", "\u001b[31m\u009b\u007f")))
                .isEqualTo("{\"a\":\"\\u001B[31m\\u009b\\u007F\"}");
    }

    @Test
    void levelsAreLimited() throws Exception {
        String deep = "[".repeat(1000) + "]".repeat(1000);
        assertThat(Json.text(Json.parse(deep))).isEqualTo(deep);
        assertThatThrownBy(() -> Json.parse("[" + deep + "]")).hasMessageContaining("1000 levels");
    }

    @Test
    void prettyIsIndentedByTwo() throws Exception {
        assertThat(Json.pretty(Json.parse("{\"a\":[1,{}],\"b\":{}}"))).isEqualTo("""
            {
              "a": [
                1,
                {}
              ],
              "b": {}
            }\
            """);
    }
}
