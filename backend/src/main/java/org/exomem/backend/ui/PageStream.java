package org.exomem.backend.ui;

import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.http.HttpStream;
import org.jspecify.annotations.Nullable;

/** The stream of one open page, with a thread of its own. */
final class PageStream implements HttpStream {
    private final Path control;
    private final Optional<PictureStream.View> view;
    private final Runnable ended;
    private @Nullable PictureStream picture;

    /** @param ended runs once when the thread has ended, or never begins */
    PageStream(Path control, Optional<PictureStream.View> view, Runnable ended) {
        this.control = control;
        this.view = view;
        this.ended = ended;
    }

    @Override
    public void begin(Client client) {
        PictureStream begun = new PictureStream(control, view, client::send);
        picture = begun;
        Thread.ofPlatform().daemon().name("ui-page").start(() -> {
            try {
                begun.run();
            } finally {
                ended.run();
                client.end();
            }
        });
    }

    @Override
    public void gone() {
        PictureStream begun = picture;
        if (begun == null) {
            ended.run();
        } else {
            begun.close();
        }
    }
}
