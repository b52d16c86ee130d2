package io.github.markwinter.ingenium;

import com.google.protobuf.util.Timestamps;
import io.github.markwinter.ingenium.v1.ComponentStatus;
import io.nats.client.Dispatcher;
import io.nats.client.Message;
import io.nats.client.support.JsonValue;
import io.nats.client.support.JsonValueUtils;
import io.nats.client.support.JsonValueUtils.MapBuilder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Lists a component as a NATS micro service (ADR-32), whose id is the life of its status. Its first
 * endpoint stands for all that it handles; the others are the commands of an operator to this start.
 */
final class Service {
  private static final Map<String, String> TYPES =
      Map.of(
          "PING", "io.nats.micro.v1.ping_response",
          "INFO", "io.nats.micro.v1.info_response",
          "STATS", "io.nats.micro.v1.stats_response");

  private final Component component;
  private final Supplier<ComponentStatus> status;
  private final List<String> subjects;

  Service(Component component, Supplier<ComponentStatus> status) {
    this.component = component;
    this.status = status;
    this.subjects =
        component.routes.patterns(component.role).stream()
            .map(component.settings::onServer)
            .toList();
  }

  /** Answers what is asked of all services, of this name, and of this start of it. */
  void start() {
    String name = component.name();
    Dispatcher requests = component.nats().createDispatcher(this::answer);
    requests.subscribe("$SRV.*");
    requests.subscribe("$SRV.*." + name);
    requests.subscribe("$SRV.*." + name + "." + status.get().getLife());
  }

  private void answer(Message request) {
    String verb = request.getSubject().split("\\.")[1];
    if (!TYPES.containsKey(verb) || request.getReplyTo() == null) {
      return;
    }
    String answer = answer(verb, status.get()).toJson();
    try {
      component.nats().publish(request.getReplyTo(), answer.getBytes(StandardCharsets.UTF_8));
    } catch (IllegalStateException closed) {
      System.err.println("cannot answer " + request.getSubject() + ": " + closed.getMessage());
    }
  }

  private MapBuilder answer(String verb, ComponentStatus now) {
    MapBuilder metadata =
        JsonValueUtils.mapBuilder()
            .put("app", now.getApp())
            .put("role", now.getRole())
            .put("language", now.getLanguage())
            .put("sdk", "ingenium")
            .put("sdk_version", now.getVersion())
            .put("prefix", component.settings.prefix())
            .put("subjects", String.join(",", subjects));
    MapBuilder answer =
        JsonValueUtils.mapBuilder()
            .put("type", TYPES.get(verb))
            .put("name", now.getComponent())
            .put("id", now.getLife())
            .put("version", now.getVersion())
            .put("metadata", metadata);
    MapBuilder endpoint =
        JsonValueUtils.mapBuilder()
            .put("name", "events")
            .put("subject", subjects.isEmpty() ? "" : subjects.get(0))
            .put("queue_group", "");
    if (verb.equals("INFO")) {
      String whose = now.getRole() + " " + now.getComponent() + " of " + now.getApp();
      answer.put("description", whose).put("endpoints", endpoints(endpoint));
    } else if (verb.equals("STATS")) {
      putNumbers(endpoint, now);
      endpoint.put("data", data(now));
      answer
          .put("started", Timestamps.toString(now.getStartTime()))
          .put("endpoints", endpoints(endpoint));
    }
    return answer;
  }

  private List<JsonValue> endpoints(MapBuilder events) {
    List<JsonValue> all = new ArrayList<>(List.of(events.toJsonValue()));
    for (String command : Commands.NAMES) {
      all.add(
          JsonValueUtils.mapBuilder()
              .put("name", command)
              .put("subject", component.commands.subject(command))
              .put("queue_group", "")
              .put("num_requests", component.commands.taken(command))
              .put("num_errors", 0)
              .put("last_error", "")
              .put("processing_time", 0)
              .put("average_processing_time", 0)
              .toJsonValue());
    }
    return all;
  }

  private void putNumbers(MapBuilder to, ComponentStatus now) {
    Report.Calls calls = component.report.calls();
    to.put("num_requests", now.getHandled())
        .put("num_errors", calls.failed())
        .put("last_error", calls.lastError())
        .put("processing_time", calls.nanoseconds())
        .put("average_processing_time", calls.nanoseconds() / Math.max(1, now.getHandled()));
  }

  /** The numbers of the whole component, in the form that all languages share. */
  private MapBuilder data(ComponentStatus now) {
    Report.Calls calls = component.report.calls();
    return JsonValueUtils.mapBuilder()
        .put("state", now.getState())
        .put("problem", now.getProblem())
        .put("paused", component.isPaused())
        .put("handled", now.getHandled())
        .put("sent", now.getSent())
        .put("failed", calls.failed())
        .put("waiting", now.getWaiting())
        .put("last_error", calls.lastError())
        .put("processing_time", calls.nanoseconds())
        .put("last_event", now.getLastEvent())
        .put("last_symbol", now.getLastSymbol())
        .put("last_time", now.hasLastTime() ? Timestamps.toString(now.getLastTime()) : "")
        .put("host", now.getHost())
        .put("process", now.getProcess());
  }
}
