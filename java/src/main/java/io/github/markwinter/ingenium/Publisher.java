package io.github.markwinter.ingenium;

import com.google.protobuf.Message;
import io.github.markwinter.ingenium.v1.SignalEvent;

/** Publishes events. */
public interface Publisher {
  /**
   * Publishes an event of the bus on its subject. An id and a time that are empty are filled in: both
   * follow from the event that is being handled, so that a replay that is run again gives the same
   * ones; outside of a handler the id is random and the time is the machine's.
   *
   * @param event an event of the bus
   * @throws IllegalArgumentException it is none, or its symbol cannot be part of a subject
   */
  void publish(Message event);

  /**
   * Publishes a message of one's own on a subject, as it is.
   *
   * @param subject where
   * @param message any message
   */
  void publishTo(String subject, Message message);

  /**
   * Publishes a signal.
   *
   * @param symbol of what
   * @param signal one of {@link Signal}
   */
  default void signal(String symbol, String signal) {
    publish(SignalEvent.newBuilder().setSymbol(symbol).setSignal(signal).build());
  }
}
