package org.exomem.conformance.frontend;

/**
 * The shared memory in which the back-end records its requests in flight.
 *
 * @param size bytes
 * @param offset bytes from the start of its file
 * @param queues 1 to 65535
 * @param queueSize entries of each queue
 */
public record InflightArea(long size, long offset, int queues, int queueSize) {}
