package io.github.markwinter.ingenium;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import io.github.markwinter.ingenium.v1.DataEvent;
import java.nio.charset.StandardCharsets;

/** The event that is being handled: ids and times of what is sent follow from it. */
final class Cause {
  private Object message;
  private String id = "";
  private Timestamp time;
  private int sent;
  private int nameless;

  /**
   * Begins with an event; another handler of the same message goes on with it. Returns the id that it
   * begins with, null where it goes on.
   */
  String begin(Object message, Message event, byte[] payload) {
    if (this.message == message) {
      return null;
    }
    end();
    this.message = message;
    time = timeOf(event);
    id = Subjects.text(event, "id");
    if (id.isEmpty()) {
      // Two events without an id may be equal to the byte, and are still two.
      nameless++;
      String at = time == null ? "" : Bar.formatTime(time);
      String text = new String(payload, StandardCharsets.UTF_8);
      id = Ids.make("cause", text, at, String.valueOf(nameless));
    }
    return id;
  }

  void end() {
    message = null;
    id = "";
    time = null;
    sent = 0;
  }

  /** Fills in id and time where they are empty. */
  Message complete(String component, Message event) {
    Message.Builder builder = event.toBuilder();
    FieldDescriptor timestamp = event.getDescriptorForType().findFieldByName("timestamp");
    Timestamp at = time == null ? Timestamps.now() : time;
    if (timestamp.getJavaType() == FieldDescriptor.JavaType.STRING) {
      if (Subjects.text(event, "timestamp").isEmpty()) {
        builder.setField(timestamp, Bar.formatTime(at));
      }
    } else if (!event.hasField(timestamp)) {
      builder.setField(timestamp, at);
    }
    if (Subjects.text(event, "id").isEmpty()) {
      String prefix = Subjects.channelOf(event).prefix();
      FieldDescriptor field = event.getDescriptorForType().findFieldByName("id");
      builder.setField(field, id(prefix, component, builder));
    }
    return builder.build();
  }

  private String id(String prefix, String component, Message.Builder event) {
    if (!id.isEmpty()) {
      return Ids.make(prefix, component, id, String.valueOf(sent++));
    }
    if (event instanceof DataEvent.Builder data) {
      // The same bar that is sent again is the same event.
      String period = data.getOhlc().getPeriod();
      String close = data.getOhlc().getClose();
      return Ids.make(prefix, component, data.getSymbol(), data.getTimestamp(), period, close);
    }
    return Ids.random(prefix);
  }

  private static Timestamp timeOf(Message event) {
    FieldDescriptor field = event.getDescriptorForType().findFieldByName("timestamp");
    if (field == null || field.isRepeated()) {
      return null;
    }
    if (field.getJavaType() == FieldDescriptor.JavaType.STRING) {
      return Bar.parseTime((String) event.getField(field));
    }
    boolean isTime = event.getField(field) instanceof Timestamp;
    return isTime && event.hasField(field) ? (Timestamp) event.getField(field) : null;
  }
}
