package org.exomem.conform.strict.observers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToLongFunction;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;

/** Regions of guest memory. */
final class MemoryObservers {
    static final List<Observation> ALL = List.of(
            Observation.looking(
                    "vhost.region.2",
                    "With GPA_ADDRESSES, the user address of a region is its guest address",
                    (event, scene, tally) -> {
                        if (scene.hasProtocol(Protocol.GPA_ADDRESSES)) {
                            described(event)
                                    .forEach(region ->
                                            tally.judge(region.userAddress() == region.guestAddress(), text(region)));
                        }
                    }),
            Observation.looking(
                    "vhost.region.9",
                    "The guest addresses of regions do not overlap",
                    (event, scene, tally) -> overlaps(event, scene, tally, Region::guestAddress)),
            Observation.looking(
                    "vhost.region.10",
                    "The user addresses of regions do not overlap",
                    (event, scene, tally) -> overlaps(event, scene, tally, Region::userAddress)),
            Observation.looking(
                    "vhost.region.11",
                    "A region is removed before one is added that overlaps it",
                    (event, scene, tally) -> {
                        if (event instanceof Event.Requested(var message) && message.is(Request.ADD_MEM_REG)) {
                            overlaps(event, scene, tally, Region::guestAddress);
                        }
                    }),
            Observation.of(
                    "vhost.memory.2",
                    "Memory is shared with the back-end before rings run",
                    () -> (event, scene, tally) -> {
                        switch (event) {
                            case Event.RingStarted(var ring) -> tally.kept();
                            case Event.RingUnfit(var ring, String why) -> {
                                if (scene.memory().regions().isEmpty()) {
                                    tally.broken(ring + " is to run, but there is no guest memory");
                                }
                            }
                            default -> {}
                        }
                    }),
            Observation.looking(
                    "vhost.memory.10",
                    "There are no more regions than GET_MAX_MEM_SLOTS reports",
                    (event, scene, tally) -> {
                        if (event instanceof Event.Requested(var message)
                                && message.is(Request.ADD_MEM_REG)
                                && scene.count(Request.GET_MAX_MEM_SLOTS) > 0) {
                            int there = scene.memory().regions().size();
                            tally.judge(
                                    there < scene.offer().slots(),
                                    "another region was added to " + there + " regions; GET_MAX_MEM_SLOTS reported "
                                            + scene.offer().slots());
                        }
                    }));

    static final Map<String, String> UNWATCHED = Map.of(
            "vhost.address.1", "The device does not offer ACCESS_PLATFORM, so all addresses are the front-end's own.",
            "vhost.iotlb.1", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.iotlb.3", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.iotlb.4", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.iotlb.5", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.iotlb.6", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.iotlb.11", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.");

    private MemoryObservers() {}

    private static List<Region> described(Event event) {
        return event instanceof Event.Requested(FrontEndMessage message)
                        && (message.is(Request.ADD_MEM_REG) || message.is(Request.SET_MEM_TABLE))
                ? GuestMemory.described(message)
                : List.of();
    }

    private static void overlaps(Event event, Scene scene, Tally tally, ToLongFunction<Region> address) {
        List<Region> fresh = described(event);
        if (fresh.isEmpty()) {
            return;
        }
        boolean added = event instanceof Event.Requested(var message) && message.is(Request.ADD_MEM_REG);
        List<Region> all = new ArrayList<>(added ? scene.memory().regions() : List.of());
        for (Region region : fresh) {
            Optional<Region> other = all.stream()
                    .filter(each -> address.applyAsLong(each) < address.applyAsLong(region) + region.size()
                            && address.applyAsLong(region) < address.applyAsLong(each) + each.size())
                    .findFirst();
            all.add(region);
            tally.judge(
                    other.isEmpty(),
                    text(region) + " overlaps "
                            + other.map(MemoryObservers::text).orElse(""));
        }
    }

    private static String text(Region region) {
        return "the region at guest address 0x" + Long.toHexString(region.guestAddress()) + ", user address 0x"
                + Long.toHexString(region.userAddress()) + ", of 0x" + Long.toHexString(region.size()) + " bytes";
    }
}
