package org.exomem.backend.http;

import io.netty.handler.codec.http.HttpHeaders;
import java.util.Set;

/**
 * Rejects requests that a page of another site has caused, as far as a browser reports it: in {@code Sec-Fetch-Site}, even
 * without {@code Origin}, as for an image. Such a page can't read the answer, but each answer costs time. A person may
 * follow a link from another site to pages that are for people. Another port of this host counts as another site.
 */
final class SiteRule {
    /** The message for rejected clients. */
    static final String REFUSAL = "requests from pages of other sites are refused\n";

    /** An empty header means no browser, an old one, or one at an address that it does not trust. */
    private static final Set<String> OWN = Set.of("", "same-origin", "none");

    private SiteRule() {}

    static boolean allows(HttpHeaders headers, HttpRoute route) {
        return OWN.contains(headers.get("sec-fetch-site", ""))
                || route.linked()
                        && headers.get("sec-fetch-mode", "").equals("navigate")
                        && headers.get("sec-fetch-dest", "").equals("document");
    }
}
