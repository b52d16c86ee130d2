package io.github.markwinter.ingenium;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import com.google.protobuf.util.Timestamps;
import io.github.markwinter.ingenium.v1.ComponentStatus;
import io.nats.client.Dispatcher;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** Says every few seconds, and to whoever asks, how a component is. */
final class Status {
  /** The version of this library. */
  static final String VERSION = "0.1.0";

  private static final int INTERVAL_SECONDS = 5;

  private record Last(String event, String symbol, Timestamp time) {}

  private final Component component;
  private final ComponentStatus base;
  private volatile Last last;
  private boolean stopped;
  private ScheduledExecutorService timer;
  private Dispatcher asks;

  Status(Component component) {
    this.component = component;
    this.base =
        ComponentStatus.newBuilder()
            .setApp(component.settings.app())
            .setComponent(component.name())
            .setRole(component.role.word())
            .setLanguage("java")
            .setVersion(VERSION)
            .setLife(Ids.random("life"))
            .setHost(host())
            .setProcess((int) ProcessHandle.current().pid())
            .setStartTime(Timestamps.now())
            .setIntervalSeconds(INTERVAL_SECONDS)
            .build();
  }

  /** Tells this start of the component from all others. */
  String life() {
    return base.getLife();
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException none) {
      return "";
    }
  }

  /** Notes the event that was handled last; of an ingestor: that was sent last. */
  void note(Message event) {
    String symbol = Subjects.text(event, "symbol");
    last = new Last(event.getDescriptorForType().getName(), symbol, Timestamps.now());
  }

  void start() {
    String ask = component.settings.onServer("_ingenium." + component.settings.app() + ".ask");
    asks = component.nats().createDispatcher(message -> say("ready"));
    asks.subscribe(ask);
    asks.subscribe(ask + "." + component.name());
    new Service(component, () -> now("ready")).start();
    timer =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "ingenium-status");
              thread.setDaemon(true);
              return thread;
            });
    timer.scheduleAtFixedRate(() -> say("ready"), 0, INTERVAL_SECONDS, TimeUnit.SECONDS);
  }

  void stop() {
    timer.shutdownNow();
    say("stopped");
  }

  private synchronized void say(String state) {
    if (stopped) {
      return; // somebody has asked in the last moment
    }
    stopped = state.equals("stopped");
    try {
      component.sendStatus(now(state));
    } catch (IllegalStateException closed) {
      // The connection has ended, and nobody can be told.
      System.err.println("cannot say how the component is: " + closed.getMessage());
    }
  }

  private ComponentStatus now(String state) {
    ComponentStatus.Builder status = base.toBuilder();
    status.setState(state).setTimestamp(Timestamps.now());
    component.report.describe(status);
    status.setWaiting(component.waiting());
    Last known = last;
    if (status.getProblem().isEmpty() && component.isPaused()) {
      status.setProblem("paused by an operator");
    }
    if (known != null) {
      status.setLastEvent(known.event()).setLastTime(known.time());
      if (!known.symbol().isEmpty()) {
        status.setLastSymbol(known.symbol());
      }
    }
    return status.build();
  }
}
