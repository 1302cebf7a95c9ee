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
 * What is watched about one requirement, or about several that are kept or broken together.
 *
 * @param requirements ids of the catalogue
 * @param name a sentence that says what is so if they are kept
 * @param device the type of device at which it can be seen; ANY for all
 * @param observer makes one for each session
 */
public record Observation(List<String> requirements, String name, DeviceType device, Supplier<Observer> observer)
        implements Subject {
    public Observation {
        requirements = List.copyOf(requirements);
    }

    /** With an observer that remembers. */
    public static Observation of(String requirement, String name, Supplier<Observer> observer) {
        return new Observation(List.of(requirement), name, DeviceType.ANY, observer);
    }

    /** With an observer that only looks, and remembers nothing. */
    public static Observation looking(String requirement, String name, Observer observer) {
        return of(requirement, name, () -> observer);
    }

    /** Of each request of that number; how it came is told if it is wrong. */
    public static Observation ofRequest(
            String requirement, String name, int request, Predicate<FrontEndMessage> right) {
        return ofRequest(requirement, name, request, (message, scene) -> right.test(message));
    }

    /** The same, with the scene as it was before. */
    public static Observation ofRequest(
            String requirement, String name, int request, BiPredicate<FrontEndMessage, Scene> right) {
        return ofRequests(requirement, name, message -> message.is(request), right);
    }

    /** The same of all requests of a kind. */
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

    /** The same, for one type of device. */
    public Observation on(DeviceType type) {
        return new Observation(requirements, name, type, observer);
    }

    /** The same, which is about these requirements too. */
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
