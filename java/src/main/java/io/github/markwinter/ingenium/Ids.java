package io.github.markwinter.ingenium;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;

/** Ids of events, as the Python SDK makes them. */
public final class Ids {
  private static final int LENGTH = 27;
  private static final String BORDER = "\u001f";
  private static final String ALPHABET =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  private static final SecureRandom RANDOM = new SecureRandom();

  private Ids() {}

  /**
   * Makes the id of an event from its cause, as the Python SDK does: a run that is repeated makes the
   * same ids.
   *
   * @param prefix what it begins with, such as "signal"
   * @param cause what the event follows from
   * @return the prefix, an underscore and 27 letters or digits
   */
  public static String make(String prefix, String... cause) {
    String text = String.join(BORDER, cause);
    if (text.contains("\\") || text.chars().filter(c -> c == 0x1f).count() >= cause.length) {
      String[] parts = new String[cause.length];
      for (int i = 0; i < cause.length; i++) {
        parts[i] = cause[i].replace("\\", "\\\\").replace(BORDER, "\\b");
      }
      text = "\\" + String.join(BORDER, parts);
    }
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      return prefix + "_" + letters(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  /** Makes an id for an event that follows from no other. */
  static String random(String prefix) {
    byte[] bytes = new byte[LENGTH];
    RANDOM.nextBytes(bytes);
    return prefix + "_" + letters(bytes);
  }

  private static String letters(byte[] bytes) {
    StringBuilder text = new StringBuilder(LENGTH);
    for (int i = 0; i < LENGTH; i++) {
      text.append(ALPHABET.charAt((bytes[i] & 0xff) % ALPHABET.length()));
    }
    return text.toString();
  }
}
