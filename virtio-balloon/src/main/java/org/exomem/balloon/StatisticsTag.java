package org.exomem.balloon;

/**
 * A memory statistic. Tags 0 to 9 are those of VIRTIO ("Memory Statistics Tags"), 10 to 15 were added by Linux (BAL-STAT-4).
 * The names on the control socket are those of QEMU.
 */
public enum StatisticsTag {
    /** Bytes swapped in. */
    SWAP_IN(0, "stat-swap-in"),
    /** Bytes swapped out. */
    SWAP_OUT(1, "stat-swap-out"),
    /** Page faults that needed input or output. */
    MAJOR_FAULTS(2, "stat-major-faults"),
    /** Page faults that needed no input or output. */
    MINOR_FAULTS(3, "stat-minor-faults"),
    /** Unused bytes. */
    FREE_MEMORY(4, "stat-free-memory"),
    /** Bytes of memory that the guest has, without those in the balloon. */
    TOTAL_MEMORY(5, "stat-total-memory"),
    /** Bytes that new programs can use without swapping. */
    AVAILABLE_MEMORY(6, "stat-available-memory"),
    /** Bytes that can be freed quickly without input or output: cached files. */
    DISK_CACHES(7, "stat-disk-caches"),
    /** Successful allocations of huge pages. */
    HUGETLB_ALLOCATIONS(8, "stat-htlb-pgalloc"),
    /** Failed allocations of huge pages. */
    HUGETLB_FAILURES(9, "stat-htlb-pgfail"),
    /** Processes killed for lack of memory. */
    OOM_KILLS(10, "stat-oom-kills"),
    /** Allocations that had to wait for reclaim. */
    ALLOCATION_STALLS(11, "stat-alloc-stalls"),
    /** Bytes scanned by reclaim in the background. */
    ASYNC_SCANS(12, "stat-async-scans"),
    /** Bytes scanned by reclaim in an allocation. */
    DIRECT_SCANS(13, "stat-direct-scans"),
    /** Bytes reclaimed in the background. */
    ASYNC_RECLAIMS(14, "stat-async-reclaims"),
    /** Bytes reclaimed in an allocation. */
    DIRECT_RECLAIMS(15, "stat-direct-reclaims");

    private final int tag;
    private final String qmpName;

    StatisticsTag(int tag, String qmpName) {
        this.tag = tag;
        this.qmpName = qmpName;
    }

    /** The number of the tag in the driver's buffer. */
    public int tag() {
        return tag;
    }

    /** The name that QEMU uses. */
    public String qmpName() {
        return qmpName;
    }
}
