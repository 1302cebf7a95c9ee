package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where something is served over HTTP.
 *
 * @param addresses none if it is not served
 * @param tls the folder with this host's certificate and the CA's, as {@code exomem pki init} makes it; TCP then is TLS, with
 *     certificates of clients
 */
public record HttpConfig(List<HttpAddress> addresses, Optional<Path> tls) {
    /** Nothing is served. */
    public static final HttpConfig NOTHING = new HttpConfig(List.of(), Optional.empty());

    public HttpConfig {
        addresses = List.copyOf(addresses);
    }

    /**
     * The addresses that an option names, separated by commas.
     *
     * @throws ConfigException if one is none; names the option
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

    /** The addresses of both; the other's folder before this one's. */
    public HttpConfig and(HttpConfig other) {
        List<HttpAddress> all = new ArrayList<>(addresses);
        other.addresses.stream().filter(address -> !all.contains(address)).forEach(all::add);
        return new HttpConfig(all, other.tls.or(() -> tls));
    }

    /** True if others than this host could connect and would not have to prove who they are. */
    public boolean isOpenToAnybody() {
        return tls.isEmpty() && !addresses.stream().allMatch(HttpAddress::isLocal);
    }

    /**
     * Checks what no single option can know.
     *
     * @param what is served, as in "metrics"
     * @param option that names the folder, as in "--metrics-tls DIR"
     * @throws ConfigException if it {@link #isOpenToAnybody}, or a folder of certificates is of no use
     */
    public void check(String what, String option) throws ConfigException {
        for (HttpAddress address : addresses) {
            if (!address.isLocal() && tls.isEmpty()) {
                throw new ConfigException(what + " on " + address + " could be read by other hosts: name a folder with"
                        + " certificates (" + option + "), or serve on a port of this host only");
            }
        }
        if (tls.isPresent() && addresses.stream().noneMatch(HttpAddress.Tcp.class::isInstance)) {
            throw new ConfigException(option + ": certificates are for TCP, and " + what + " is served on none");
        }
    }
}
