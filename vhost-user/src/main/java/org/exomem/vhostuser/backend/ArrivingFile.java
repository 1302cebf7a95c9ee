package org.exomem.vhostuser.backend;

import org.exomem.pages.PageSet;

/**
 * The pages of a file that have arrived, by their position in the file. A front-end that shares the file again in other
 * regions has not taken them away (VHU-PST-6). Used on the VM's event loop.
 */
final class ArrivingFile {
    /** Pages of 4096 bytes that may be touched. */
    final PageSet here = new PageSet();
    /** Pages that were requested and have not arrived. */
    final PageSet asked = new PageSet();
    /** The number of its regions that are watched. */
    int regions;
}
