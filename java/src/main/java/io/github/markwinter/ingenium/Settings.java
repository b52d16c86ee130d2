package io.github.markwinter.ingenium;

import io.nats.client.Nats;
import io.nats.client.Options;
import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a component connects to and who it is there.
 *
 * @param server {@code NATS_SERVER}: one address, or several of one cluster with commas between them
 * @param app {@code INGENIUM_APP}, the name of the app that the component belongs to
 * @param component {@code INGENIUM_COMPONENT}, the name of the component within the app
 * @param prefix {@code INGENIUM_PREFIX}, what all subjects begin with on the server; empty for none
 * @param contentType {@code INGENIUM_CONTENT_TYPE}, the form of what is published: application/json,
 *     or application/protobuf. What arrives is read in either form.
 * @param credentials {@code INGENIUM_NATS_CREDENTIALS}: a .creds file, or a file with the seed of an
 *     nkey or with a line user:password. {@code {role}} in a path stands for the component's role.
 * @param ca {@code INGENIUM_NATS_CA}, the authorities to trust; the system's when empty
 * @param certificate {@code INGENIUM_NATS_CERT}, a certificate to show to the server
 * @param key {@code INGENIUM_NATS_KEY}, its key; in the certificate's file when empty
 * @param allowPlaintext {@code INGENIUM_ALLOW_PLAINTEXT=1}: a server on another machine may be spoken
 *     to without TLS
 */
public record Settings(
    String server,
    String app,
    String component,
    String prefix,
    String contentType,
    String credentials,
    String ca,
    String certificate,
    String key,
    boolean allowPlaintext) {

  private static final Pattern SEED = Pattern.compile("SU[A-Z2-7]{56}");
  private static final Pattern LOGIN = Pattern.compile("([^:\\s]+):(\\S+)");

  /**
   * Reads the settings that {@code ingenium run} gives to the programs that it starts.
   *
   * @param environment variables, as {@link System#getenv()} gives them
   * @param component the name where the environment has none
   * @return the settings
   */
  public static Settings from(Map<String, String> environment, String component) {
    Lookup lookup =
        (name, otherwise) -> {
          String value = environment.getOrDefault(name, "").strip();
          return value.isEmpty() ? otherwise : value;
        };
    return new Settings(
        lookup.find("NATS_SERVER", Options.DEFAULT_URL),
        lookup.find("INGENIUM_APP", "app"),
        lookup.find("INGENIUM_COMPONENT", component),
        lookup.find("INGENIUM_PREFIX", ""),
        lookup.find("INGENIUM_CONTENT_TYPE", Codec.JSON),
        lookup.find("INGENIUM_NATS_CREDENTIALS", ""),
        lookup.find("INGENIUM_NATS_CA", ""),
        lookup.find("INGENIUM_NATS_CERT", ""),
        lookup.find("INGENIUM_NATS_KEY", ""),
        lookup.find("INGENIUM_ALLOW_PLAINTEXT", "").equals("1"));
  }

  private interface Lookup {
    String find(String name, String otherwise);
  }

  /** Puts the prefix before a subject that keeps apps on one server apart. */
  String onServer(String subject) {
    return prefix.isEmpty() ? subject : prefix + "." + subject;
  }

  String fromServer(String subject) {
    boolean has = !prefix.isEmpty() && subject.startsWith(prefix + ".");
    return has ? subject.substring(prefix.length() + 1) : subject;
  }

  void check() {
    if (!contentType.equals(Codec.JSON) && !contentType.equals(Codec.BINARY)) {
      throw new IllegalArgumentException(
          "content type '" + contentType + "' is unknown: set INGENIUM_CONTENT_TYPE to "
              + Codec.JSON + " or " + Codec.BINARY);
    }
    if (!ca.isEmpty() || allowPlaintext) {
      return;
    }
    for (String each : server.split(",")) {
      URI address;
      try {
        String text = each.strip();
        address = URI.create(text.contains("://") ? text : "nats://" + text);
      } catch (IllegalArgumentException error) {
        // The reason repeats what it could not read, which may be a password.
        throw new IllegalArgumentException(
            "cannot read the address in NATS_SERVER: write it as nats://host:port");
      }
      String host = address.getHost();
      if (!"tls".equals(address.getScheme()) && !isHere(host)) {
        throw new IllegalArgumentException(
            host + " is on another machine, and nothing would be encrypted: write tls://" + host
                + ", with INGENIUM_NATS_CA for a certificate of your own, or set"
                + " INGENIUM_ALLOW_PLAINTEXT=1 where the network protects itself");
      }
    }
  }

  private static boolean isHere(String host) {
    if (host == null || !host.matches("[0-9.]+|\\[.*\\]")) {
      return "localhost".equals(host);
    }
    try {
      return InetAddress.getByName(host).isLoopbackAddress(); // an address, so no name is looked up
    } catch (IOException none) {
      return false;
    }
  }

  /** How a role connects to the server. */
  Options.Builder options(Role role) throws IOException, GeneralSecurityException {
    check();
    Options.Builder options =
        Options.builder()
            .server(server)
            .connectionName(component)
            .inboxPrefix("_INBOX." + role.word() + ".")
            .maxReconnects(-1);
    if (!ca.isEmpty() || !certificate.isEmpty() || server.contains("tls://")) {
      String keys = key.isEmpty() ? certificate : key;
      options.sslContext(Tls.context(ca, ofRole(certificate, role), ofRole(keys, role)));
    }
    if (!credentials.isEmpty()) {
      useCredentials(options, ofRole(credentials, role));
    }
    return options;
  }

  private static String ofRole(String path, Role role) {
    return path.replace("{role}", role.word());
  }

  /** Takes what a file of credentials holds; an error repeats nothing of it. */
  private static void useCredentials(Options.Builder options, String path) throws IOException {
    String text = Files.readString(Path.of(path)).strip();
    Matcher login = LOGIN.matcher(text);
    if (text.contains("BEGIN NATS USER JWT")) {
      options.authHandler(Nats.credentials(path));
    } else if (SEED.matcher(text).matches()) {
      options.authHandler(Nats.staticCredentials(null, text.toCharArray()));
    } else if (login.matches()) {
      options.userInfo(login.group(1).toCharArray(), login.group(2).toCharArray());
    } else {
      throw new IllegalArgumentException(
          path + " holds no credentials: put a .creds file, a user's seed or a line user:password"
              + " into it");
    }
  }
}
