package io.github.markwinter.ingenium;

/**
 * Handles what arrives, one at a time.
 *
 * @param <T> what that is: a bar, or a type of event
 */
@FunctionalInterface
public interface Handler<T> {
  /**
   * Handles one.
   *
   * @param event what has arrived
   * @param out takes what is to be sent because of it
   * @throws Exception to end the component, and a replay with it
   */
  void handle(T event, Publisher out) throws Exception;
}
