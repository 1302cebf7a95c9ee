package org.exomem.backend.config;

/** A configuration that is wrong or not possible. The message says where, what is wrong, and what would be right. */
public final class ConfigException extends Exception {
    private static final long serialVersionUID = 1L;

    public ConfigException(String message) {
        super(message);
    }

    /** Returns the same message with a place before it. */
    ConfigException at(String place) {
        return new ConfigException(place + ": " + getMessage());
    }
}
