package org.exomem.app;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class SpecChapterTest {
    @Test
    void rulesAreTheFirstCellsOfRowsAndTheBoldBeginningsOfLines() {
        SpecChapter chapter = SpecChapter.parse("toy.md", """
            # Toy

            | id | rule |
            | --- | --- |
            | TOY-BIT-1 | Refers to TOY-BIT-9. |
            |TOY-2|Another.|
            | TOY | no id |

            - **TOY-3** An item; see **TOY-BIT-8**.
            **TOY-4** A paragraph.

            | command | returns |
            | --- | --- |
            | `play` (**TOY-4**) | **TOY-6** a toy |

            ## Not observable

            | id | reason |
            | --- | --- |
            | TOY-2 | it is about the driver |
            | TOY-3 | |

            ## More

            | TOY-5 | After that. |
            """.lines().toList());
        assertThat(chapter.rules()).containsExactly("TOY-BIT-1", "TOY-2", "TOY-3", "TOY-4", "TOY-6", "TOY-5");
        assertThat(chapter.notObservable()).isEqualTo(Map.of("TOY-2", "it is about the driver", "TOY-3", ""));
    }
}
