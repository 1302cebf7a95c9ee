package org.exomem.conform.strict.serve;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.exomem.conform.strict.scene.Scene;

/**
 * Something that the device wants of the driver.
 *
 * @param name what the driver is to do: "gives 32 MiB to the balloon"
 * @param begin says so to the driver
 * @param done whether the driver has done it
 * @param limit how long it is waited for
 */
record Stage(String name, Consumer<Scene> begin, Predicate<Scene> done, Duration limit) {}
