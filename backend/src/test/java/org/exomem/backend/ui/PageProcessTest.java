package org.exomem.backend.ui;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.exomem.backend.ExomemProcess;
import org.exomem.migration.stream.wire.tls.Pki;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The page as {@code exomem serve --ui} and {@code exomem ui} serve it, in separate processes. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class PageProcessTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    private final List<Process> started = new ArrayList<>();

    @AfterEach
    void end() {
        started.forEach(Process::destroyForcibly);
    }

    private Process run(String log, String... words) throws IOException {
        Process process = ExomemProcess.of(words)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(log).toFile())
                .start();
        started.add(process);
        return process;
    }

    private Path control() {
        return folder.resolve("control");
    }

    private String[] serve(String... more) {
        List<String> words = new ArrayList<>(List.of(
                "serve", "--control", control().toString(), "--balloon", "vm=web,socket=" + folder.resolve("device")));
        words.addAll(List.of(more));
        return words.toArray(String[]::new);
    }

    /** The rest of the first line of a log that contains a text. */
    private String after(String log, String text) {
        return await().atMost(LIMIT)
                .until(
                        () -> Files.readString(folder.resolve(log))
                                .lines()
                                .filter(line -> line.contains(text))
                                .map(line -> line.substring(line.indexOf(text) + text.length()))
                                .findFirst(),
                        Optional::isPresent)
                .orElseThrow();
    }

    private static String get(HttpClient client, String address) throws IOException, InterruptedException {
        return client.send(HttpRequest.newBuilder(URI.create(address)).build(), HttpResponse.BodyHandlers.ofString())
                .body();
    }

    /** The first event that contains a text. */
    private static String event(HttpClient client, String address, String text) throws Exception {
        var answer = client.send(
                HttpRequest.newBuilder(URI.create(address)).build(), HttpResponse.BodyHandlers.ofInputStream());
        try (BufferedReader lines = new BufferedReader(new InputStreamReader(answer.body(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.contains(text)) {
                    return line;
                }
            }
        }
        throw new AssertionError("no event with " + text);
    }

    @Test
    void aProcessServesThePageOfItsFileAndAnotherAddressNeedsARestart() throws Exception {
        Path file = folder.resolve("exomem.yaml");
        Files.writeString(file, "ui: 127.0.0.1:0\n");
        Process process = run("log", serve("--config", file.toString()));
        ExomemProcess.awaitControl(process, control());
        String page = "http://" + after("log", "page on ") + "/";
        try (HttpClient client = HttpClient.newHttpClient()) {
            assertThat(get(client, page)).startsWith("<!doctype html>").contains("ui.js");
            assertThat(get(client, page + "access")).contains("\"changes\":false");
            assertThat(event(client, page + "events", "\"name\"")).contains("\"web\"", "\"waiting\"");
            HttpResponse<String> change = client.send(
                    HttpRequest.newBuilder(URI.create(page + "command"))
                            .header("Origin", page.substring(0, page.length() - 1))
                            .header("Authorization", "Bearer ")
                            .POST(HttpRequest.BodyPublishers.ofString(
                                    "{\"execute\":\"balloon\",\"arguments\":{\"vm\":\"web\",\"value\":1048576}}"))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            assertThat(change.statusCode()).isEqualTo(403);

            Files.writeString(file, "ui: 127.0.0.1:1\n");
            assertThat(new ProcessBuilder("kill", "-HUP", process.pid() + "")
                            .start()
                            .waitFor())
                    .isZero();
            after("log", "ui: other addresses require a restart");
            assertThat(get(client, page)).contains("ui.js");
        }
    }

    @Test
    void otherHostsNeedTlsAndACertificate() throws Exception {
        Process refused = run("refused", serve("--ui", "0.0.0.0:0"));
        assertThat(refused.waitFor()).isNotZero();
        assertThat(Files.readString(folder.resolve("refused")))
                .contains("the page on 0.0.0.0:0 could be read by other hosts", "--ui-tls DIR");
        Process none = run("none", "serve", "--ui", "0", "--socket-path", folder.resolve("device") + "");
        assertThat(none.waitFor()).isNotZero();
        assertThat(Files.readString(folder.resolve("none"))).contains("the page needs a control socket");

        Path ours = Pki.in(folder.resolve("pki")).addHost("127.0.0.1");
        Path theirs = Pki.in(folder.resolve("pki")).addHost("browser.test");
        Process process = run("log", serve("--ui", "0.0.0.0:0", "--ui-tls", ours.toString()));
        ExomemProcess.awaitControl(process, control());
        String port = after("log", "page on 0.0.0.0:");
        String page = "https://127.0.0.1:" + port + "/";
        try (HttpClient client =
                HttpClient.newBuilder().sslContext(context(theirs, true)).build()) {
            assertThat(get(client, page)).contains("ui.js");
            assertThat(event(client, page + "events", "\"name\"")).contains("\"web\"");
        }
        try (HttpClient client =
                HttpClient.newBuilder().sslContext(context(theirs, false)).build()) {
            assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> get(client, page)))
                    .isInstanceOf(IOException.class);
        }
        try (HttpClient client = HttpClient.newHttpClient()) {
            assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> get(client, "http://127.0.0.1:" + port)))
                    .isInstanceOf(IOException.class);
        }
    }

    @Test
    void aSecondPageWithChangesHasATokenOfItsOwnAndTheFirstGoesOn() throws Exception {
        ExomemProcess.awaitControl(run("log", serve()), control());
        Path file = folder.resolve("control.ui-token");
        Process first = run("first", "ui", "--control", control().toString(), "--listen", "0", "--allow-changes");
        String one = "http://" + after("first", "http://");
        String ofOne = one.substring(one.indexOf("#token=") + 7);
        await().atMost(LIMIT).until(() -> Files.exists(file));
        assertThat(file).hasContent(ofOne);

        // A server that can't listen does not change the file.
        String port = one.substring(one.lastIndexOf(':') + 1, one.indexOf("/#"));
        Process third = run("third", "ui", "--control", control().toString(), "--listen", port, "--allow-changes");
        assertThat(third.waitFor()).isNotZero();
        assertThat(file).hasContent(ofOne);

        Process second = run("second", "ui", "--control", control().toString(), "--listen", "0", "--allow-changes");
        String two = "http://" + after("second", "http://");
        String ofTwo = two.substring(two.indexOf("#token=") + 7);
        assertThat(ofTwo).isNotEqualTo(ofOne);
        after("second", "the token is in");
        assertThat(file).hasContent(ofTwo);
        assertThat(change(one, ofOne)).isEqualTo(200);
        assertThat(change(one, ofTwo)).isEqualTo(403);
        assertThat(change(two, ofTwo)).isEqualTo(200);

        first.destroy();
        first.waitFor();
        assertThat(file).hasContent(ofTwo);
        second.destroy();
        second.waitFor();
        assertThat(file).doesNotExist();
    }

    private static int change(String url, String token) throws IOException, InterruptedException {
        String page = url.substring(0, url.indexOf("/#"));
        try (HttpClient client = HttpClient.newHttpClient()) {
            return client.send(
                            HttpRequest.newBuilder(URI.create(page + "/command"))
                                    .header("Origin", page)
                                    .header("Authorization", "Bearer " + token)
                                    .POST(
                                            HttpRequest.BodyPublishers.ofString(
                                                    "{\"execute\":\"balloon\",\"arguments\":{\"vm\":\"web\",\"value\":1048576}}"))
                                    .build(),
                            HttpResponse.BodyHandlers.discarding())
                    .statusCode();
        }
    }

    /** A TLS context from the files of a host, as a browser would have it. */
    private static SSLContext context(Path host, boolean withCertificate) throws Exception {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        for (Certificate authority : certificates(host.resolve(Pki.CA_CERTIFICATE))) {
            trusted.setCertificateEntry("ca", authority);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        if (withCertificate) {
            Collection<? extends Certificate> chain = certificates(host.resolve(Pki.HOST_CERTIFICATE));
            own.setKeyEntry("own", key(host.resolve(Pki.HOST_KEY)), new char[0], chain.toArray(Certificate[]::new));
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, new char[0]);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static Collection<? extends Certificate> certificates(Path file) throws Exception {
        try (var in = Files.newInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(in);
        }
    }

    private static PrivateKey key(Path file) throws Exception {
        String text = Files.readString(file).replaceAll("-----[A-Z ]+-----", "");
        return KeyFactory.getInstance("EC")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(text)));
    }
}
