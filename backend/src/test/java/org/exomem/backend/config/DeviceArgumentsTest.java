package org.exomem.backend.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeviceArgumentsTest {
    @Test
    void commandHasTheOptionsOfTheCommandLineAsTextNumbersOrBooleans() throws Exception {
        ServeConfig config = read("""
            {"balloons": [{"vm": "a", "socket": "/s", "size": 2147483648, "discard": false}],
             "mems": [{"vm": "a", "id": "m", "socket": "/t", "addr": "4G", "size": "8G", "prealloc": "on"}]}
            """);
        assertThat(config.balloons()).containsExactly(ServeConfig.balloon("vm=a,socket=/s,size=2G,discard=off"));
        assertThat(config.mems()).containsExactly(ServeConfig.mem("vm=a,id=m,socket=/t,addr=4G,size=8G,prealloc"));
    }

    @ParameterizedTest
    @CsvSource(quoteCharacter = '`', delimiter = '|', textBlock = """
        {"vm": "a"}                                  | this command has no argument "vm"
        {"balloons": {}}                             | argument /balloons: balloons must be a list
        {"balloons": ["a"]}                          | argument /balloons/0: a balloon must be a mapping, such as - vm: NAME
        {"balloons": [{"vm": "a", "socket": []}]}    | argument /balloons/0/socket: "socket" must be a single value
        {"balloons": [{"vm": "a", "socket": null}]}  | argument /balloons/0/socket: "socket" must be a single value
        {"balloons": [{"vm": "a"}]}                  | argument /balloons/0: socket (or fd) is missing: where the VMM attaches
        {"balloons": [{"vm": "a", "socket": "s"}]}   | argument /balloons/0/socket: "s" is not an absolute path
        {"balloons": [{"vm": "a", "socket": ""}]}    | argument /balloons/0/socket: the path is empty
        {"mems": [{"vm": "a", "node": 1.5}]}         | argument /mems/0/node: node: "1.5" is not a number from 0 to 65535
        """)
    void wrongArgumentIsExplainedWithItsPlace(String json, String complaint) {
        assertThatThrownBy(() -> read(json)).isInstanceOf(ConfigException.class).hasMessage(complaint);
    }

    private static ServeConfig read(String json) throws IOException, ConfigException {
        return DeviceArguments.read((ObjectNode) new ObjectMapper().readTree(json));
    }
}
