package io.github.markwinter.ingenium;

import io.nats.client.Message;
import io.nats.client.impl.Headers;
import io.nats.client.support.JsonParseException;
import io.nats.client.support.JsonParser;
import io.nats.client.support.JsonValue;
import io.nats.client.support.JsonValueUtils;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Takes the commands of an operator to this start of a component: pause, resume and stop. */
final class Commands {
  static final List<String> NAMES = List.of("pause", "resume", "stop");

  private final Component component;
  private final Map<String, Integer> taken = new LinkedHashMap<>();

  /** Acts upon commands. */
  interface Obeying {
    /** Returns why it cannot; empty when it has. */
    String obey(String command) throws Exception;
  }

  Commands(Component component) {
    this.component = component;
    NAMES.forEach(name -> taken.put(name, 0));
  }

  /** Where a command goes, on the server. */
  String subject(String command) {
    Settings settings = component.settings;
    String start = component.name() + "." + component.status.life();
    return settings.onServer("_ingenium." + settings.app() + ".command." + start + "." + command);
  }

  /** How often a command was obeyed. */
  synchronized int taken(String command) {
    return taken.get(command);
  }

  /**
   * Answers a command. Only what is exactly a request of an operator is obeyed: another strategy
   * could have the server publish a stored message, or an answer, on this subject.
   */
  void answer(Message message, Obeying obeying) throws Exception {
    String reply = message.getReplyTo() == null ? "" : message.getReplyTo();
    Headers headers = message.getHeaders();
    boolean isRequest = reply.startsWith("_R_.") || reply.startsWith("_INBOX.");
    if (!isRequest || headers != null && headers.containsKey("Nats-Stream")) {
      System.err.println("refused a command that no operator has sent");
      return;
    }
    String command = message.getSubject().substring(message.getSubject().lastIndexOf('.') + 1);
    String sender = sender(message);
    String problem =
        sender == null
            ? "not a command: it needs a Sender, and nothing else"
            : obeying.obey(command);
    if (!problem.isEmpty()) {
      Headers refusal = new Headers();
      refusal.put("Nats-Service-Error", problem).put("Nats-Service-Error-Code", "400");
      component.nats().publish(reply, refusal, new byte[0]);
      return;
    }
    synchronized (this) {
      taken.merge(command, 1, Integer::sum);
    }
    System.err.println(command + " by " + (sender.isEmpty() ? "an operator" : sender));
    String answer =
        JsonValueUtils.mapBuilder()
            .put("component", component.name())
            .put("instance", component.status.life())
            .put("paused", component.isPaused())
            .put("stopping", command.equals("stop"))
            .toJson();
    component.nats().publish(reply, answer.getBytes(StandardCharsets.UTF_8));
  }

  /** The sender of a command; null where the message is none. */
  private static String sender(Message message) {
    try {
      JsonValue command = JsonParser.parse(message.getData());
      if (command.map == null || !command.map.keySet().equals(Set.of("Sender"))) {
        return null;
      }
      return command.map.get("Sender").string;
    } catch (JsonParseException error) {
      return null;
    }
  }
}
