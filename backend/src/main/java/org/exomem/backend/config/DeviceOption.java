package org.exomem.backend.config;

/**
 * An option of a device, for the help of {@code exomem serve}, {@code docs/options.md} and error messages.
 *
 * @param name the text before the {@code =}, and the key in a file
 * @param value the form of the value, for people: {@code SIZE}, {@code on|off}
 * @param description its purpose, in one sentence without the full stop
 * @param standard the default, for people; begins with {@code required} if the option is necessary
 */
public record DeviceOption(String name, String value, String description, String standard) {
    static final String REQUIRED = "required";

    static DeviceOption onOff(String name, String description, boolean standard) {
        return new DeviceOption(name, "on|off", description, standard ? "on" : "off");
    }

    /** True if the option, or an alternative to it, is necessary. */
    public boolean isRequired() {
        return standard.startsWith(REQUIRED);
    }
}
