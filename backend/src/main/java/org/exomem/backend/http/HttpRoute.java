package org.exomem.backend.http;

/**
 * A page, and the requests that it accepts.
 *
 * @param method GET, which also accepts HEAD, or POST
 * @param linked whether a page of another site may link to it
 */
public record HttpRoute(String method, boolean linked, HttpPage page) {
    private static final String GET = "GET";
    private static final String POST = "POST";

    /** A page for this site, and for programs. */
    public static HttpRoute get(HttpPage page) {
        return new HttpRoute(GET, false, page);
    }

    /** A page for people, who may follow a link from another site. */
    public static HttpRoute linked(HttpPage page) {
        return new HttpRoute(GET, true, page);
    }

    /** A page that changes something. */
    public static HttpRoute post(HttpPage page) {
        return new HttpRoute(POST, false, page);
    }

    boolean takes(String asked) {
        return asked.equals(method) || method.equals(GET) && asked.equals("HEAD");
    }

    /** The accepted methods, for people and the header {@code Allow}. */
    String methods() {
        return method.equals(GET) ? "GET, HEAD" : method;
    }
}
