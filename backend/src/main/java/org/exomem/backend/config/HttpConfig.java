package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The configuration of an HTTP service.
 *
 * @param addresses empty if it is not served
 * @param tls the folder with the certificates of this host and the CA, as {@code exomem pki init} makes it; with it, TCP
 *     uses TLS with client certificates
 */
public record HttpConfig(List<HttpAddress> addresses, Optional<Path> tls) {
    /** Nothing is served. */
    public static final HttpConfig NOTHING = new HttpConfig(List.of(), Optional.empty());

    public HttpConfig {
        addresses = List.copyOf(addresses);
    }

    /**
     * Parses the addresses of an option, separated by commas.
     *
     * @throws ConfigException if one is wrong; the message names the option
     */
    public static List<HttpAddress> addresses(String option, String text) throws ConfigException {
        List<HttpAddress> addresses = new ArrayList<>();
        try {
            for (String one : text.split(",", -1)) {
                addresses.add(HttpAddress.parse(one.strip()));
            }
        } catch (ConfigException e) {
            throw e.at(option);
        }
        return addresses;
    }

    /** Returns the addresses of both, with the other's folder if it has one. */
    public HttpConfig and(HttpConfig other) {
        List<HttpAddress> all = new ArrayList<>(addresses);
        other.addresses.stream().filter(address -> !all.contains(address)).forEach(all::add);
        return new HttpConfig(all, other.tls.or(() -> tls));
    }

    /** True if other hosts could connect without a proof of their identity. */
    public boolean isOpenToAnybody() {
        return tls.isEmpty() && !addresses.stream().allMatch(HttpAddress::isLocal);
    }

    /**
     * Checks the options together.
     *
     * @param what the service, as in "metrics"
     * @param option that names the folder, as in "--metrics-tls DIR"
     * @throws ConfigException if it {@link #isOpenToAnybody}, or the folder of certificates has no use
     */
    public void check(String what, String option) throws ConfigException {
        for (HttpAddress address : addresses) {
            if (!address.isLocal() && tls.isEmpty()) {
                throw new ConfigException(what + " on " + address + " could be read by other hosts: name a folder with"
                        + " certificates (" + option + "), or serve on a port of this host only");
            }
        }
        if (tls.isPresent() && addresses.stream().noneMatch(HttpAddress.Tcp.class::isInstance)) {
            throw new ConfigException(option + ": certificates are for TCP, but there is no TCP address for " + what);
        }
    }
}
