package org.exomem.conform.broken;

/**
 * One used element: a chain that the device gives back.
 *
 * @param written bytes that the device says it has written
 */
record Element(int id, long written) {
    Element withWritten(long other) {
        return new Element(id, other);
    }

    Element withId(int other) {
        return new Element(other, written);
    }
}
