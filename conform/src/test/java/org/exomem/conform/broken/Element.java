package org.exomem.conform.broken;

/**
 * One used element: a chain that the device returns.
 *
 * @param written number of bytes that the device reports as written
 */
record Element(int id, long written) {
    Element withWritten(long other) {
        return new Element(id, other);
    }

    Element withId(int other) {
        return new Element(other, written);
    }
}
