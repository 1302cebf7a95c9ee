package org.exomem.backend.http;

import io.netty.handler.codec.http.HttpHeaders;
import java.util.Set;

/**
 * Which requests are answered that a page of another site has caused, as far as a browser says so: in {@code Sec-Fetch-Site}, also where
 * there is no {@code Origin}, as with an image. Such a page learns nothing, but each answer costs something. A person may follow a link of
 * it to what is there to be looked at. Another port of this host is another site here.
 */
final class SiteRule {
    /** For who is refused. */
    static final String REFUSAL = "a page of another site may not ask for this\n";

    /** No header: no browser, an old one, or one that was told to come by an address that it does not trust. */
    private static final Set<String> OWN = Set.of("", "same-origin", "none");

    private SiteRule() {}

    static boolean allows(HttpHeaders headers, HttpRoute route) {
        return OWN.contains(headers.get("sec-fetch-site", ""))
                || route.linked()
                        && headers.get("sec-fetch-mode", "").equals("navigate")
                        && headers.get("sec-fetch-dest", "").equals("document");
    }
}
