package org.exomem.backend.http;

/**
 * A page, and how it is asked for.
 *
 * @param method GET, which also takes HEAD, or POST
 */
public record HttpRoute(String method, HttpPage page) {
    private static final String GET = "GET";
    private static final String POST = "POST";

    /** To look at. */
    public static HttpRoute get(HttpPage page) {
        return new HttpRoute(GET, page);
    }

    /** Changes something. */
    public static HttpRoute post(HttpPage page) {
        return new HttpRoute(POST, page);
    }

    boolean takes(String asked) {
        return asked.equals(method) || method.equals(GET) && asked.equals("HEAD");
    }

    /** For people and the header {@code Allow}. */
    String methods() {
        return method.equals(GET) ? "GET, HEAD" : method;
    }
}
