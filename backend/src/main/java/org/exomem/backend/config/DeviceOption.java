package org.exomem.backend.config;

/**
 * One option of a device, as the help of {@code exomem serve}, {@code docs/options.md} and complaints tell of it.
 *
 * @param name as it is written before the {@code =}, and as a key in a file
 * @param value what stands behind it, for people: {@code SIZE}, {@code on|off}
 * @param description what it is for, in one sentence without an end
 * @param standard what holds without the option, for people; beginning with {@code required} if it can't be left out
 */
public record DeviceOption(String name, String value, String description, String standard) {
    static final String REQUIRED = "required";

    static DeviceOption onOff(String name, String description, boolean standard) {
        return new DeviceOption(name, "on|off", description, standard ? "on" : "off");
    }

    /** True if it can't be left out, or not without another one in its place. */
    public boolean isRequired() {
        return standard.startsWith(REQUIRED);
    }
}
