package org.exomem.backend.ui;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;

/** The files of the page, by path. */
record Assets(Map<String, Asset> files) {
    /** @param type its media type */
    record Asset(String type, byte[] content) {}

    static Assets load() throws IOException {
        Asset page = read("index.html", "text/html; charset=utf-8");
        return new Assets(Map.of(
                "/",
                page,
                "/ui.css",
                read("ui.css", "text/css; charset=utf-8"),
                "/ui.js",
                read("ui.js", "text/javascript; charset=utf-8"),
                "/icon.svg",
                read("icon.svg", "image/svg+xml")));
    }

    private static Asset read(String name, String type) throws IOException {
        try (InputStream file = Assets.class.getResourceAsStream(name)) {
            if (file == null) {
                throw new IOException("the file " + name + " is missing in this exomem");
            }
            return new Asset(type, file.readAllBytes());
        }
    }
}
