package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Everything that {@code exomem serve} was asked to do.
 *
 * @param control the path of the control socket, if one was given
 * @param balloons at least one; each with a VM, a socket or a descriptor of its own
 */
public record ServeConfig(Optional<Path> control, List<BalloonConfig> balloons) {
    public ServeConfig {
        balloons = List.copyOf(balloons);
    }

    /** One balloon from a {@code --balloon} option. */
    public static BalloonConfig balloon(String option) throws ConfigException {
        try {
            return BalloonWords.parse(option);
        } catch (ConfigException e) {
            throw e.at("--balloon " + option);
        }
    }

    /** The file's balloons, then the others; the control socket given here before the file's. */
    public ServeConfig and(Optional<Path> otherControl, List<BalloonConfig> others) {
        List<BalloonConfig> all = new ArrayList<>(balloons);
        all.addAll(others);
        return new ServeConfig(otherControl.or(() -> control), all);
    }

    /** Checks what no single balloon can know. */
    public ServeConfig checked() throws ConfigException {
        if (balloons.isEmpty()) {
            throw new ConfigException("nothing to serve: name a balloon, such as --balloon vm=NAME,socket=PATH");
        }
        Set<String> names = new HashSet<>();
        Map<Object, String> places = new HashMap<>();
        control.ifPresent(path -> places.put(path.toAbsolutePath(), "the control socket"));
        for (BalloonConfig balloon : balloons) {
            if (!names.add(balloon.vm())) {
                throw new ConfigException("VM \"" + balloon.vm() + "\" has two balloons; a VM has one");
            }
            Object place = switch (balloon.attachment()) {
                case Attachment.Listen listen -> listen.socket();
                case Attachment.Connect connect -> connect.socket();
                case Attachment.Inherited inherited -> inherited.fd();
            };
            String user = "VM \"" + balloon.vm() + "\"";
            String other = places.putIfAbsent(place, user);
            if (other != null) {
                throw new ConfigException(other + " and " + user + " both use " + balloon.attachment());
            }
        }
        return this;
    }
}
