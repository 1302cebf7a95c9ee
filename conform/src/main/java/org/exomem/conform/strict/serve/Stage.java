package org.exomem.conform.strict.serve;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.exomem.conform.strict.scene.Scene;

/**
 * A goal that the device sets for the driver.
 *
 * @param name what the driver should do: "gives 32 MiB to the balloon"
 * @param begin informs the driver of the goal
 * @param done whether the driver has reached it
 * @param limit the longest time to wait for the driver
 */
record Stage(String name, Consumer<Scene> begin, Predicate<Scene> done, Duration limit) {}
