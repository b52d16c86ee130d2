package io.github.markwinter.ingenium;

import io.nats.client.Message;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Holds back what arrives while an operator has paused the component. */
final class Pause {
  private final Queue<Message> held = new ConcurrentLinkedQueue<>();
  private volatile boolean isOn;
  private int passed;

  boolean isOn() {
    return isOn;
  }

  void set(boolean isOn) {
    this.isOn = isOn;
  }

  /** How many messages wait for the end of the pause. */
  int waiting() {
    return held.size();
  }

  /** Whether a message is not to be handled now. What is not market data must not be lost. */
  boolean holds(Message message, Subjects.Kind kind) {
    if (isOn && kind == Subjects.Kind.DATA) {
      passed++;
    } else if (isOn) {
      held.add(message);
    }
    return isOn;
  }

  /** The oldest message that was held and may be handled now, null without any. */
  Message next() {
    if (isOn) {
      return null;
    }
    if (passed > 0) {
      System.err.println("was paused: " + passed + " bars have passed");
      passed = 0;
    }
    return held.poll();
  }

  /** Reports what is lost at a stop. */
  void end() {
    if (held.size() + passed > 0) {
      System.err.println("was paused: " + (held.size() + passed) + " events are not handled");
    }
  }
}
