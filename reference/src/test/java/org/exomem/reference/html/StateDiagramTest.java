package org.exomem.reference.html;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** State machines as the chapters write them. */
class StateDiagramTest {
    @Test
    void eachStateIsABoxAndEachTransitionAnArrowWithItsText() {
        String html =
                StateDiagram.html("a, b -> c: it begins\nc -> c: again\n* -> a, b: reset <now>\n", new Addresses());
        assertThat(html.split("<rect ", -1)).hasSize(3);
        assertThat(html.split("class=\"head\"", -1)).hasSize(4);
        assertThat(html).contains(">a, b</text>", ">it begins</text>", ">any: reset &lt;now&gt;</text>");
    }

    @Test
    void theSameIsThereAsAList() {
        assertThat(StateDiagram.html("* -> c: reset\n", new Addresses())).contains("<li>any state → c: reset</li>");
    }

    @Test
    void aLineOfAnotherFormIsAnError() {
        assertThatThrownBy(() -> StateDiagram.html("a to b\n", new Addresses()))
                .hasMessage("\"a to b\" is not of the form \"FROM -> TO: what happens\"");
    }
}
