package org.exomem.balloon;

/**
 * The state of free page hinting and reporting.
 *
 * @param state of the hint session
 * @param commandId of the present or last hint session, 0 before the first
 * @param hintedBytes hinted in the present or last session, each page counted once
 * @param reportedBytes reported free since the device was made; a page counts each time
 * @param reports the number of reports since the device was made
 * @param discardedBytes given back to the host since the device was made, from the balloon and by reports
 * @param ignoredPages pages of 4096 bytes that the driver named since the device was made and that were left alone, because
 *     the front-end does not share them or, at the end of a buffer, because their number was cut; a page counts each time
 */
public record FreePages(
        HintingState state,
        int commandId,
        long hintedBytes,
        long reportedBytes,
        long reports,
        long discardedBytes,
        long ignoredPages) {}
