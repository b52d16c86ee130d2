package io.github.markwinter.ingenium;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;

/** Reads and writes both forms of the wire format. */
public final class Codec {
  static final String JSON = "application/json";
  static final String BINARY = "application/protobuf";

  // The format has fields without presence even when they are empty.
  private static final JsonFormat.Printer WRITE =
      JsonFormat.printer().alwaysPrintFieldsWithNoPresence().omittingInsignificantWhitespace();
  // A later version may send fields that this program does not know.
  private static final JsonFormat.Parser READ = JsonFormat.parser().ignoringUnknownFields();

  private Codec() {}

  /**
   * Writes a message in the JSON of the wire format.
   *
   * @param message any message
   * @return its JSON
   * @throws InvalidProtocolBufferException a field holds what JSON cannot carry
   */
  public static byte[] write(MessageOrBuilder message) throws InvalidProtocolBufferException {
    return WRITE.print(message).getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Reads a message from the JSON of the wire format.
   *
   * @param payload the JSON
   * @param message takes it
   * @throws InvalidProtocolBufferException it is no such message
   */
  public static void read(byte[] payload, Message.Builder message)
      throws InvalidProtocolBufferException {
    READ.merge(new String(payload, StandardCharsets.UTF_8), message);
  }

  static byte[] write(String form, Message message) throws InvalidProtocolBufferException {
    return form.equals(BINARY) ? message.toByteArray() : write(message);
  }

  /** Reads a message in the form that its headers say it has. */
  static void read(List<String> forms, byte[] payload, Message.Builder message)
      throws InvalidProtocolBufferException {
    if (forms != null && forms.size() > 1) {
      throw new InvalidProtocolBufferException("the header Content-Type is there twice");
    }
    String form = forms == null || forms.isEmpty() ? JSON : forms.get(0);
    switch (form.split(";", 2)[0].strip().toLowerCase(Locale.ROOT)) {
      case JSON -> read(payload, message);
      case BINARY -> message.mergeFrom(payload);
      default ->
          throw new InvalidProtocolBufferException(
              "the header Content-Type is '" + form + "': send " + JSON + " or " + BINARY);
    }
  }
}
