package org.exomem.vhostuser.backend;

import org.exomem.pages.PageSet;

/**
 * Which pages of a file have come, by their place in the file: a front-end that shares the file anew, in other regions, has not taken
 * them away (VHU-PST-6). Belongs to the event loop of the VM.
 */
final class ArrivingFile {
    /** Pages of 4096 bytes that may be touched. */
    final PageSet here = new PageSet();
    /** Pages that were asked for and have not come. */
    final PageSet asked = new PageSet();
    /** How many regions of it are watched. */
    int regions;
}
