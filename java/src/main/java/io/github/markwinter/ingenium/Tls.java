package io.github.markwinter.ingenium;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** Reads certificates and keys in PEM form. */
final class Tls {
  private static final Pattern KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----");
  private static final char[] NO_PASSWORD = new char[0];

  private Tls() {}

  /**
   * Says how to check the server's certificate, and which one to show.
   *
   * @param ca the authorities to trust; those of the system when empty
   * @param certificate what to show; nothing when empty
   * @param key its key
   */
  static SSLContext context(String ca, String certificate, String key)
      throws IOException, GeneralSecurityException {
    SSLContext context = SSLContext.getInstance("TLS");
    KeyManager[] own = certificate.isEmpty() ? null : keys(certificate, key);
    context.init(own, new TrustManager[] {new HostTrust(trust(ca))}, null);
    return context;
  }

  private static X509ExtendedTrustManager trust(String path)
      throws IOException, GeneralSecurityException {
    KeyStore store = null; // that of the system
    if (!path.isEmpty()) {
      store = emptyStore();
      int number = 0;
      for (Certificate each : certificates(path)) {
        store.setCertificateEntry("ca" + number++, each);
      }
    }
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    for (TrustManager each : factory.getTrustManagers()) {
      if (each instanceof X509ExtendedTrustManager found) {
        return found;
      }
    }
    throw new GeneralSecurityException("this Java checks no certificates of X.509");
  }

  /**
   * Trusts a server only if its certificate names the host of the address. The NATS client does not
   * ask for that, and without it the certificate of any other host would do.
   */
  private static final class HostTrust extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager chains;

    HostTrust(X509ExtendedTrustManager chains) {
      this.chains = chains;
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      SSLSocket secure = (SSLSocket) socket;
      secure.setSSLParameters(withHost(secure.getSSLParameters()));
      chains.checkServerTrusted(chain, type, secure);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      engine.setSSLParameters(withHost(engine.getSSLParameters()));
      chains.checkServerTrusted(chain, type, engine);
    }

    private static SSLParameters withHost(SSLParameters parameters) {
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      return parameters;
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      throw new CertificateException("the host of the certificate cannot be checked");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      chains.checkClientTrusted(chain, type, socket);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      chains.checkClientTrusted(chain, type, engine);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      chains.checkClientTrusted(chain, type);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return chains.getAcceptedIssuers();
    }
  }

  private static KeyManager[] keys(String certificate, String key)
      throws IOException, GeneralSecurityException {
    KeyStore store = emptyStore();
    Certificate[] chain = certificates(certificate).toArray(new Certificate[0]);
    store.setKeyEntry("own", privateKey(key), NO_PASSWORD, chain);
    KeyManagerFactory factory =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(store, NO_PASSWORD);
    return factory.getKeyManagers();
  }

  private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, NO_PASSWORD);
    return store;
  }

  private static Collection<? extends Certificate> certificates(String path)
      throws IOException, GeneralSecurityException {
    // A file may hold a key, too.
    String text = KEY.matcher(Files.readString(Path.of(path))).replaceAll("");
    try (InputStream stream = new ByteArrayInputStream(text.getBytes())) {
      return CertificateFactory.getInstance("X.509").generateCertificates(stream);
    }
  }

  private static PrivateKey privateKey(String path) throws IOException, GeneralSecurityException {
    Matcher found = KEY.matcher(Files.readString(Path.of(path)));
    if (!found.find()) {
      throw new GeneralSecurityException(
          path + " holds no key in PKCS 8 form: openssl pkcs8 -topk8 -nocrypt writes one");
    }
    byte[] bytes = Base64.getMimeDecoder().decode(found.group(1));
    for (String algorithm : List.of("RSA", "EC", "Ed25519")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(bytes));
      } catch (InvalidKeySpecException other) {
        // The next algorithm.
      }
    }
    throw new GeneralSecurityException(path + " holds a key that is none of RSA, EC and Ed25519");
  }
}
