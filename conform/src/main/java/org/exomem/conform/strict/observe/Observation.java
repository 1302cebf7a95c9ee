package org.exomem.conform.strict.observe;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.exomem.conform.check.Subject;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;

/**
 * What is observed about one requirement, or about several that are kept or broken together.
 *
 * @param requirements ids of the catalogue
 * @param name a sentence that states the behaviour that they demand
 * @param device the type of device at which it can be seen; ANY for all types
 * @param observer makes an observer for each session
 */
public record Observation(List<String> requirements, String name, DeviceType device, Supplier<Observer> observer)
        implements Subject {
    public Observation {
        requirements = List.copyOf(requirements);
    }

    /** With an observer that has state. */
    public static Observation of(String requirement, String name, Supplier<Observer> observer) {
        return new Observation(List.of(requirement), name, DeviceType.ANY, observer);
    }

    /** With an observer without state. */
    public static Observation looking(String requirement, String name, Observer observer) {
        return of(requirement, name, () -> observer);
    }

    /** Examines each request with that number. If one is wrong, the report describes it. */
    public static Observation ofRequest(
            String requirement, String name, int request, Predicate<FrontEndMessage> right) {
        return ofRequest(requirement, name, request, (message, scene) -> right.test(message));
    }

    /** The same, with the scene as it was before the request. */
    public static Observation ofRequest(
            String requirement, String name, int request, BiPredicate<FrontEndMessage, Scene> right) {
        return ofRequests(requirement, name, message -> message.is(request), right);
    }

    /** The same for all requests of a kind. */
    public static Observation ofRequests(
            String requirement,
            String name,
            Predicate<FrontEndMessage> kind,
            BiPredicate<FrontEndMessage, Scene> right) {
        return looking(requirement, name, (event, scene, tally) -> {
            if (event instanceof Event.Requested(FrontEndMessage message) && kind.test(message)) {
                tally.judge(right.test(message, scene), message.described());
            }
        });
    }

    /** Returns the same observation for one type of device. */
    public Observation on(DeviceType type) {
        return new Observation(requirements, name, type, observer);
    }

    /** Returns the same observation, which is also about these requirements. */
    public Observation and(String... others) {
        List<String> all = new ArrayList<>(requirements);
        all.addAll(List.of(others));
        return new Observation(all, name, device, observer);
    }

    @Override
    public String toString() {
        return requirement() + ": " + name;
    }
}
