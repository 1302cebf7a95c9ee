package org.exomem.backend.config;

/** What was asked for is not understood or not possible. The message says where, what, and what would be right. */
public final class ConfigException extends Exception {
    private static final long serialVersionUID = 1L;

    public ConfigException(String message) {
        super(message);
    }

    /** The same complaint, with the place in front of it. */
    ConfigException at(String place) {
        return new ConfigException(place + ": " + getMessage());
    }
}
