package org.exomem.conform.checks.memory;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;

/** Memory tables, regions and addresses. */
public final class MemoryChecks {
    public static final List<Check> ALL =
            RingKind.join(AddressChecks.ALL, TableChecks.ALL, SlotChecks.ALL, IommuChecks.ALL);

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED =
            Map.of("vhost.region.4", "Only memory of a Xen host can be shared with these fields; the runner has none.");

    private MemoryChecks() {}
}
