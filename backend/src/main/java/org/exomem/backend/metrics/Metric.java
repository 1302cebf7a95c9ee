package org.exomem.backend.metrics;

import java.util.List;
import java.util.Locale;
import org.exomem.balloon.StatisticsTag;

/**
 * A metric: its name, its labels and its meaning. {@code docs/metrics.md} has the same table. Names and units follow
 * Prometheus: bytes and seconds, and {@code _total} at the end of counters.
 */
enum Metric {
    BUILD_INFO("exomem_build_info", Type.GAUGE, "Always 1; the label has the version of exomem.", "version"),
    VMS("exomem_vms", Type.GAUGE, "VMs that are served."),
    EVENT_LOOP_DELAY(
            "exomem_event_loop_delay_seconds",
            Type.HISTOGRAM,
            "Delay of event loops, measured about once a second: those of all VMs (loop=\"vm\"), of the control"
                    + " socket (\"control\"), of metrics (\"http\") and of the page (\"page\").",
            "loop"),
    HEALTH_PROBLEMS(
            "exomem_health_problems", Type.GAUGE, "Problems that \"exomem health\" lists, by severity.", "severity"),

    VM_RESPONDING("exomem_vm_responding", Type.GAUGE, "1 if the VM's event loop answers within a second.", "vm"),
    VM_CONNECTED("exomem_vm_connected", Type.GAUGE, "1 while a VMM is attached to any device of the VM.", "vm"),
    VM_EVENT_LOOP_DELAY(
            "exomem_vm_event_loop_delay_seconds",
            Type.GAUGE,
            "Delay of the VM's event loop at the last measurement; the time since then if it has not answered"
                    + " yet.",
            "vm"),
    VM_HOST_RESIDENT(
            "exomem_vm_host_resident_bytes",
            Type.GAUGE,
            "Host memory that the files of the guest's memory occupy.",
            "vm"),
    VM_ACTIVE(
            "exomem_vm_active_bytes",
            Type.GAUGE,
            "The most memory that the guest wrote in one of the last 6 intervals; needs vmm-active.",
            "vm"),

    BALLOON_CONNECTED("exomem_balloon_connected", Type.GAUGE, "1 while a VMM is attached to the balloon.", "vm"),
    BALLOON_MEMORY(
            "exomem_balloon_memory_bytes",
            Type.GAUGE,
            "Memory that the VMM shares, less the unplugged memory of memory devices.",
            "vm"),
    BALLOON_TARGET(
            "exomem_balloon_target_bytes",
            Type.GAUGE,
            "The requested size of the VM; missing if none is requested.",
            "vm"),
    BALLOON_ACTUAL(
            "exomem_balloon_actual_bytes",
            Type.GAUGE,
            "The size of the VM as its driver reported it: memory less the balloon. Missing while no memory is"
                    + " shared.",
            "vm"),
    BALLOON_INFLATED(
            "exomem_balloon_inflated_bytes",
            Type.GAUGE,
            "Pages that the driver has put into the balloon and not taken out.",
            "vm"),
    BALLOON_HINTED(
            "exomem_balloon_hinted_bytes",
            Type.GAUGE,
            "Pages that the guest hinted as free in the current or last session, each counted once.",
            "vm"),
    BALLOON_REPORTED(
            "exomem_balloon_reported_bytes",
            Type.COUNTER,
            "Memory that the guest reported as free; a page counts each time.",
            "vm"),
    BALLOON_REPORTS("exomem_balloon_reports", Type.COUNTER, "Reports of free memory.", "vm"),
    BALLOON_DISCARDED(
            "exomem_balloon_discarded_bytes",
            Type.COUNTER,
            "Memory returned to the host, from the balloon and by reports.",
            "vm"),
    BALLOON_IGNORED(
            "exomem_balloon_ignored_pages",
            Type.COUNTER,
            "Pages of 4096 bytes that the driver named and that the VMM does not share.",
            "vm"),
    BALLOON_BITMAP_FREE(
            "exomem_balloon_bitmap_free_bytes",
            Type.GAUGE,
            "Memory that the guest's last bitmap showed as free; missing before the first.",
            "vm"),
    BALLOON_BITMAP_IGNORED(
            "exomem_balloon_bitmap_ignored_chunks",
            Type.COUNTER,
            "Chunks of bitmaps that were ignored, such as malformed ones.",
            "vm"),
    GUEST_STATISTICS_INTERVAL(
            "exomem_guest_statistics_interval_seconds",
            Type.GAUGE,
            "Interval at which exomem asks the guest for statistics; 0 if it does not ask by itself.",
            "vm"),
    GUEST_STATISTICS_TIMESTAMP(
            "exomem_guest_statistics_timestamp_seconds",
            Type.GAUGE,
            "Time of the guest's last statistics, in seconds since 1970: time() less this value is their age."
                    + " Missing before the first.",
            "vm"),
    GUEST_SWAP_IN("exomem_guest_swap_in_bytes", Type.COUNTER, "Memory swapped in by the guest.", "vm"),
    GUEST_SWAP_OUT("exomem_guest_swap_out_bytes", Type.COUNTER, "Memory swapped out by the guest.", "vm"),
    GUEST_MAJOR_FAULTS(
            "exomem_guest_major_faults", Type.COUNTER, "Page faults of the guest that needed input or output.", "vm"),
    GUEST_MINOR_FAULTS(
            "exomem_guest_minor_faults",
            Type.COUNTER,
            "Page faults of the guest that needed no input or output.",
            "vm"),
    GUEST_FREE_MEMORY("exomem_guest_free_memory_bytes", Type.GAUGE, "Unused memory of the guest.", "vm"),
    GUEST_TOTAL_MEMORY(
            "exomem_guest_total_memory_bytes", Type.GAUGE, "Memory that the guest has, without its balloon.", "vm"),
    GUEST_AVAILABLE_MEMORY(
            "exomem_guest_available_memory_bytes",
            Type.GAUGE,
            "Memory that new programs of the guest could use without swapping.",
            "vm"),
    GUEST_DISK_CACHES("exomem_guest_disk_caches_bytes", Type.GAUGE, "Files that the guest caches in memory.", "vm"),
    GUEST_HUGETLB_ALLOCATIONS(
            "exomem_guest_hugetlb_allocations", Type.COUNTER, "Huge pages that the guest allocated.", "vm"),
    GUEST_HUGETLB_FAILURES(
            "exomem_guest_hugetlb_failures", Type.COUNTER, "Failed allocations of huge pages in the guest.", "vm"),
    GUEST_OOM_KILLS(
            "exomem_guest_oom_kills",
            Type.COUNTER,
            "Processes that the guest killed because it was out of memory.",
            "vm"),
    GUEST_ALLOCATION_STALLS(
            "exomem_guest_allocation_stalls",
            Type.COUNTER,
            "Allocations of the guest that had to wait for reclaim.",
            "vm"),
    GUEST_ASYNC_SCANS(
            "exomem_guest_async_scanned_bytes", Type.COUNTER, "Memory scanned by reclaim in the background.", "vm"),
    GUEST_DIRECT_SCANS(
            "exomem_guest_direct_scanned_bytes", Type.COUNTER, "Memory scanned by reclaim during allocations.", "vm"),
    GUEST_ASYNC_RECLAIMS(
            "exomem_guest_async_reclaimed_bytes", Type.COUNTER, "Memory reclaimed in the background.", "vm"),
    GUEST_DIRECT_RECLAIMS(
            "exomem_guest_direct_reclaimed_bytes", Type.COUNTER, "Memory reclaimed during allocations.", "vm"),

    DEVICE_BROKEN_QUEUES(
            "exomem_device_broken_queues",
            Type.GAUGE,
            "Queues of the device that are stopped because the guest's driver broke a rule, until the driver"
                    + " starts them again.",
            "vm",
            "device"),
    DEVICE_FAULTS(
            "exomem_device_faults",
            Type.COUNTER,
            "Faults, by cause: the guest's driver, the VMM (front-end) or the host.",
            "vm",
            "device",
            "kind"),
    DEVICE_CONNECTIONS(
            "exomem_device_connections", Type.COUNTER, "How often a VMM has attached to the device.", "vm", "device"),

    MEMORY_CONNECTED(
            "exomem_memory_device_connected", Type.GAUGE, "1 while a VMM is attached to the device.", "vm", "device"),
    MEMORY_REGION(
            "exomem_memory_device_region_bytes",
            Type.GAUGE,
            "The most memory that the guest can plug.",
            "vm",
            "device"),
    MEMORY_REQUESTED(
            "exomem_memory_device_requested_bytes",
            Type.GAUGE,
            "Memory that the guest is asked to plug.",
            "vm",
            "device"),
    MEMORY_PLUGGED(
            "exomem_memory_device_plugged_bytes", Type.GAUGE, "Memory that the guest has plugged.", "vm", "device"),
    MEMORY_USABLE(
            "exomem_memory_device_usable_bytes",
            Type.GAUGE,
            "The part of the region in which the guest may plug now.",
            "vm",
            "device"),
    MEMORY_RESIZE_STALLED(
            "exomem_memory_device_resize_stalled",
            Type.GAUGE,
            "1 while a resize makes no progress; \"exomem vms --memory\" shows the reason.",
            "vm",
            "device"),
    MEMORY_VIOLATION_BYTES(
            "exomem_memory_device_violation_bytes",
            Type.COUNTER,
            "Unplugged memory that the patrol found in use; memory that it finds again counts again.",
            "vm",
            "device"),
    MEMORY_VIOLATION_BLOCKS(
            "exomem_memory_device_violation_blocks",
            Type.COUNTER,
            "Unplugged blocks that the patrol found in use.",
            "vm",
            "device"),
    MEMORY_PATROL_ROUNDS("exomem_memory_device_patrol_rounds", Type.COUNTER, "Rounds of the patrol.", "vm", "device"),
    MEMORY_GUARDED(
            "exomem_memory_device_guarded",
            Type.GAUGE,
            "1 while unplugged memory is guarded; missing without violation=prevent.",
            "vm",
            "device"),
    MEMORY_GUARD_TOUCHES(
            "exomem_memory_device_guard_touches",
            Type.COUNTER,
            "Accesses to unplugged memory that the guard has seen, by access: read or write.",
            "vm",
            "device",
            "access"),

    PAGER_STATE(
            "exomem_pager_state",
            Type.GAUGE,
            "1 for the current state of a VM's memory on demand: serving, stalled, completed or vmm-ended.",
            "vm",
            "state"),
    PAGER_OWED("exomem_pager_owed_bytes", Type.GAUGE, "Memory on demand that has not arrived.", "vm"),
    PAGER_ARRIVED("exomem_pager_arrived_bytes", Type.COUNTER, "Memory on demand that has arrived.", "vm"),
    PAGER_PREFETCHED(
            "exomem_pager_prefetched_bytes",
            Type.COUNTER,
            "Memory on demand that arrived before the guest waited for it.",
            "vm"),
    PAGER_FAULTS(
            "exomem_pager_faults",
            Type.COUNTER,
            "Accesses to missing pages that were answered, by what the image has for the page: content or zeros.",
            "vm",
            "page"),

    MIGRATION_STATUS(
            "exomem_migration_status",
            Type.GAUGE,
            "1 for the current status of the VM's last migration, by direction: incoming, outgoing, save or"
                    + " update.",
            "vm",
            "direction",
            "status"),
    MIGRATION_PHASE(
            "exomem_migration_phase",
            Type.GAUGE,
            "1 for the current phase of an outgoing migration: looking, copying or paused. Missing after its end.",
            "vm",
            "direction",
            "phase"),
    MIGRATION_ELAPSED(
            "exomem_migration_elapsed_seconds",
            Type.GAUGE,
            "Time since the migration was requested, or until its end.",
            "vm",
            "direction"),
    MIGRATION_MEMORY(
            "exomem_migration_memory_bytes",
            Type.GAUGE,
            "The memory that the migration has to bring to the destination.",
            "vm",
            "direction"),
    MIGRATION_SENT(
            "exomem_migration_sent_bytes",
            Type.GAUGE,
            "Bytes sent to the network or written to the image.",
            "vm",
            "direction"),
    MIGRATION_OWED(
            "exomem_migration_owed_bytes",
            Type.GAUGE,
            "Memory that this round has not examined yet.",
            "vm",
            "direction"),
    MIGRATION_RATE(
            "exomem_migration_rate_bytes_per_second",
            Type.GAUGE,
            "The rate at which pages were sent recently.",
            "vm",
            "direction"),
    MIGRATION_ROUNDS(
            "exomem_migration_rounds", Type.GAUGE, "Rounds so far, or in total after the end.", "vm", "direction"),
    MIGRATION_ESTIMATED_DOWNTIME(
            "exomem_migration_estimated_downtime_seconds",
            Type.GAUGE,
            "How long the guest would be paused if the pause began now.",
            "vm",
            "direction"),
    MIGRATION_DOWNTIME(
            "exomem_migration_downtime_seconds",
            Type.GAUGE,
            "How long the guest was paused; missing until it is known.",
            "vm",
            "direction"),
    MIGRATION_FATE(
            "exomem_migration_fate_bytes",
            Type.GAUGE,
            "The guest's memory in a migration that has ended, by fate.",
            "vm",
            "direction",
            "fate"),
    MIGRATIONS_FINISHED(
            "exomem_migrations_finished",
            Type.COUNTER,
            "Migrations that have ended, by result: completed, failed or cancelled.",
            "vm",
            "status"),

    PROCESS_CPU("process_cpu_seconds", Type.COUNTER, "Processor time of the process."),
    PROCESS_START("process_start_time_seconds", Type.GAUGE, "When the process started, in seconds since 1970."),
    PROCESS_RESIDENT("process_resident_memory_bytes", Type.GAUGE, "Memory of the process itself, resident."),
    PROCESS_VIRTUAL(
            "process_virtual_memory_bytes", Type.GAUGE, "Address space, including the mapped memory of guests."),
    PROCESS_OPEN_FDS("process_open_fds", Type.GAUGE, "Open file descriptors."),
    PROCESS_MAX_FDS("process_max_fds", Type.GAUGE, "The limit of open file descriptors."),
    JVM_MEMORY_USED("jvm_memory_used_bytes", Type.GAUGE, "Memory that the JVM uses, by area.", "area"),
    JVM_MEMORY_COMMITTED("jvm_memory_committed_bytes", Type.GAUGE, "Memory that the JVM has, by area.", "area"),
    JVM_MEMORY_MAX("jvm_memory_max_bytes", Type.GAUGE, "Memory that the JVM may have, by area.", "area"),
    JVM_GC("jvm_gc_collection_seconds", Type.SUMMARY, "Garbage collections, and the time spent in them.", "gc"),
    JVM_THREADS("jvm_threads_current", Type.GAUGE, "Threads of the JVM.");

    /** The types of Prometheus. */
    enum Type {
        GAUGE,
        COUNTER,
        HISTOGRAM,
        SUMMARY;

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final String base;
    private final Type type;
    private final String help;
    private final List<String> labels;

    /** @param base the name, without {@code _total} */
    Metric(String base, Type type, String help, String... labels) {
        this.base = base;
        this.type = type;
        this.help = help;
        this.labels = List.of(labels);
    }

    /** The name for the library. */
    String base() {
        return base;
    }

    /** The name in the output. */
    String fullName() {
        return type == Type.COUNTER ? base + "_total" : base;
    }

    Type type() {
        return type;
    }

    String help() {
        return help;
    }

    List<String> labels() {
        return labels;
    }

    /** The metric of a guest's statistic. */
    static Metric of(StatisticsTag tag) {
        return switch (tag) {
            case SWAP_IN -> GUEST_SWAP_IN;
            case SWAP_OUT -> GUEST_SWAP_OUT;
            case MAJOR_FAULTS -> GUEST_MAJOR_FAULTS;
            case MINOR_FAULTS -> GUEST_MINOR_FAULTS;
            case FREE_MEMORY -> GUEST_FREE_MEMORY;
            case TOTAL_MEMORY -> GUEST_TOTAL_MEMORY;
            case AVAILABLE_MEMORY -> GUEST_AVAILABLE_MEMORY;
            case DISK_CACHES -> GUEST_DISK_CACHES;
            case HUGETLB_ALLOCATIONS -> GUEST_HUGETLB_ALLOCATIONS;
            case HUGETLB_FAILURES -> GUEST_HUGETLB_FAILURES;
            case OOM_KILLS -> GUEST_OOM_KILLS;
            case ALLOCATION_STALLS -> GUEST_ALLOCATION_STALLS;
            case ASYNC_SCANS -> GUEST_ASYNC_SCANS;
            case DIRECT_SCANS -> GUEST_DIRECT_SCANS;
            case ASYNC_RECLAIMS -> GUEST_ASYNC_RECLAIMS;
            case DIRECT_RECLAIMS -> GUEST_DIRECT_RECLAIMS;
        };
    }
}
