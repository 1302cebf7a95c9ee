package org.exomem.backend.http;

/**
 * A page, and how it is asked for.
 *
 * @param method GET, which also takes HEAD, or POST
 * @param linked whether a page of another site may link to it
 */
public record HttpRoute(String method, boolean linked, HttpPage page) {
    private static final String GET = "GET";
    private static final String POST = "POST";

    /** For what is shown here, and for programs. */
    public static HttpRoute get(HttpPage page) {
        return new HttpRoute(GET, false, page);
    }

    /** To be looked at by people, who may come by a link of another site. */
    public static HttpRoute linked(HttpPage page) {
        return new HttpRoute(GET, true, page);
    }

    /** Changes something. */
    public static HttpRoute post(HttpPage page) {
        return new HttpRoute(POST, false, page);
    }

    boolean takes(String asked) {
        return asked.equals(method) || method.equals(GET) && asked.equals("HEAD");
    }

    /** For people and the header {@code Allow}. */
    String methods() {
        return method.equals(GET) ? "GET, HEAD" : method;
    }
}
