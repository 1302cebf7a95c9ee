package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Where metrics and health are served over HTTP.
 *
 * @param addresses none if they are not served
 * @param tls the folder with this host's certificate and the CA's, as {@code exomem pki init} makes it; TCP then is TLS, with
 *     certificates of clients
 */
public record MetricsConfig(List<HttpAddress> addresses, Optional<Path> tls) {
    /** Nothing is served. */
    public static final MetricsConfig NOTHING = new MetricsConfig(List.of(), Optional.empty());

    public MetricsConfig {
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
    public MetricsConfig and(MetricsConfig other) {
        List<HttpAddress> all = new ArrayList<>(addresses);
        other.addresses.stream().filter(address -> !all.contains(address)).forEach(all::add);
        return new MetricsConfig(all, other.tls.or(() -> tls));
    }

    /** @throws ConfigException if others than this host could connect and would not have to prove who they are */
    void check() throws ConfigException {
        for (HttpAddress address : addresses) {
            if (!address.isLocal() && tls.isEmpty()) {
                throw new ConfigException("metrics on " + address + " could be read by other hosts: name a folder with"
                        + " certificates (--metrics-tls DIR, metrics-tls in the file), or serve them on a port of this"
                        + " host only");
            }
        }
        if (tls.isPresent() && addresses.stream().noneMatch(HttpAddress.Tcp.class::isInstance)) {
            throw new ConfigException("metrics-tls is for TCP, and metrics are served on none");
        }
    }
}
