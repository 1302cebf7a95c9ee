package org.exomem.reference.html;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** Layouts as the chapters write them. */
class LayoutTest {
    private static Layout one(String block) {
        List<Layout> layouts = Layout.parse(block);
        assertThat(layouts).hasSize(1);
        return layouts.getFirst();
    }

    private static Layout.Field field(int offset, String type, String name, String text) {
        return new Layout.Field(OptionalInt.of(offset), type, name, text);
    }

    @Test
    void theTypeMayStandBeforeTheNameAndBehindIt() {
        assertThat(one("""
                 0 le32 num_pages              the size wanted
                 4  u16 flags    bits 0-1
                 8 magic        8 bytes   "exomemst"
                16 node         s64, -1 for none
                24 usable   u64
                """).fields())
                .containsExactly(
                        field(0, "le32", "num_pages", "the size wanted"),
                        field(4, "u16", "flags", "bits 0-1"),
                        field(8, "8 bytes", "magic", "\"exomemst\""),
                        field(16, "s64", "node", "-1 for none"),
                        field(24, "u64", "usable", ""));
    }

    @Test
    void aLineThatBeginsWithALetterIsTheHeadingOfTheNextStructure() {
        List<Layout> layouts = Layout.parse("request, 2 bytes\n 0 u8 a\n 1 u8 b\n\nresponse\n 0 u8 c\n");
        assertThat(layouts).extracting(Layout::title).containsExactly("request, 2 bytes", "response");
        assertThat(layouts).extracting(layout -> layout.fields().size()).containsExactly(2, 1);
    }

    @Test
    void aFieldHasTheSizeOfItsTypeOrReachesToTheNextField() {
        Layout layout = one("""
                 0 u8   type
                 1 u8   padding[7]
                 8 name            in UTF-8
                24 { u64 a, u64 b } for each region
                   le32 wanted     at the end
                """);
        assertThat(layout.size(0)).hasValue(1);
        assertThat(layout.size(1)).hasValue(7);
        assertThat(layout.size(2)).hasValue(16);
        assertThat(layout.size(3)).isEmpty();
        assertThat(layout.fields().get(4).offset()).isEmpty();
        assertThat(layout.fields().get(4).text()).isEqualTo("at the end");
    }

    @Test
    void aLineFarToTheRightGoesOnWithTheTextBefore() {
        assertThat(one(" 0 le16 flags   1 NEXT,\n                2 WRITE\n").fields())
                .containsExactly(field(0, "le16", "flags", "1 NEXT, 2 WRITE"));
    }

    @Test
    void thePictureHasEachFieldInItsBytes() {
        String html = LayoutDiagram.html(" 0 le16 tag\n 2 le64 val\n", new Addresses());
        assertThat(html)
                .contains("grid-column: span 2\" title=\"tag\">tag<")
                .contains("grid-column: span 6\" title=\"val\">val<")
                .contains("field goes-on\" style=\"grid-column: span 2\" title=\"\"><");
    }
}
