package io.github.markwinter.ingenium;

import com.google.protobuf.InvalidProtocolBufferException;
import io.github.markwinter.ingenium.v1.LockstepGrant;
import io.nats.client.Connection;
import io.nats.client.ConnectionListener;
import io.nats.client.Consumer;
import io.nats.client.Dispatcher;
import io.nats.client.ErrorListener;
import io.nats.client.Message;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** Hands a component one message at a time, and keeps it in step with a replay. */
final class Runner implements ErrorListener {
  private static final List<Subjects.Kind> ORDER =
      List.of(Subjects.Kind.DATA, Subjects.Kind.EXECUTION, Subjects.Kind.SIGNAL);

  /** Something that happens; a replay may end with it. */
  private interface Task {
    void run() throws Exception;
  }

  /** Something else than a message has happened. */
  private static final Task NOTHING = () -> {};

  private final Component component;
  // One queue for all that happens, so that one event is handled at a time and in order.
  private final BlockingQueue<Task> arrived = new LinkedBlockingQueue<>();
  private final Map<Subjects.Kind, Queue<Message>> waiting = new EnumMap<>(Subjects.Kind.class);
  private final Pause pause = new Pause();
  private LockstepGrant granted;
  private volatile boolean stopping;
  private boolean ended;

  Runner(Component component) {
    this.component = component;
    ORDER.forEach(kind -> waiting.put(kind, new ArrayDeque<>()));
  }

  void run() throws Exception {
    Connection connection = component.nats();
    Dispatcher dispatcher = connection.createDispatcher();
    dispatcher.setPendingLimits(0, 0); // the handlers only put into the queue
    String grants = "_ingenium." + component.settings.app() + ".grant";
    dispatcher.subscribe(
        component.settings.onServer(grants), message -> arrived.add(() -> grant(message)));
    for (String pattern : component.routes.patterns(component.role)) {
      dispatcher.subscribe(
          component.settings.onServer(pattern), message -> arrived.add(() -> take(message)));
    }
    for (String command : Commands.NAMES) {
      // In the same queue, so that a pause is for what has arrived after it.
      dispatcher.subscribe(
          component.commands.subject(command), message -> arrived.add(() -> command(message)));
    }
    connection.flush(Component.LIMIT);
    component.sendReport(""); // ready
    component.status.start();
    try {
      loop(dispatcher);
    } finally {
      component.status.stop();
    }
  }

  /** How many messages have arrived and are not taken. */
  int waiting() {
    return arrived.size() + pause.waiting();
  }

  boolean isPaused() {
    return pause.isOn();
  }

  private void loop(Dispatcher dispatcher) throws Exception {
    while (!stopping && !ended) {
      arrived.take().run();
      if (granted != null && arrived.isEmpty() && !stopping) {
        component.sendReport("");
      }
    }
    if (ended) {
      return;
    }
    // What the server has sent already is handled, and nothing after it: drain waits until the
    // server has answered, and until the dispatcher has put all of it into the queue.
    if (!dispatcher.drain(Component.LIMIT).get()) {
      throw new IllegalStateException("cannot reach the server");
    }
    for (Task next = arrived.poll(); next != null; next = arrived.poll()) {
      next.run();
    }
    pause.end();
    if (granted != null) {
      component.sendReport("");
    }
  }

  void stop() {
    stopping = true;
    arrived.add(NOTHING);
  }

  private void command(Message message) throws Exception {
    component.commands.answer(message, this::obey);
    for (Message next = pause.next(); next != null; next = pause.next()) {
      take(next);
    }
  }

  private String obey(String command) {
    if (command.equals("pause") && granted != null) {
      return "a replay cannot be paused";
    }
    if (command.equals("stop")) {
      stop();
    } else {
      pause.set(command.equals("pause"));
    }
    return "";
  }

  private void grant(Message message) throws Exception {
    LockstepGrant.Builder grant = LockstepGrant.newBuilder();
    try {
      Codec.read(message.getData(), grant);
    } catch (InvalidProtocolBufferException error) {
      System.err.println("passed over a grant that cannot be read: " + error.getMessage());
      return;
    }
    ended = grant.getEnd();
    if (component.role == Role.PORTFOLIO && grant.getComponent().equals(component.name())) {
      granted = grant.build();
      advance();
    } else if (granted == null) {
      granted = LockstepGrant.getDefaultInstance();
    }
  }

  private void take(Message message) throws Exception {
    Subjects.Kind kind = Subjects.Kind.of(component.settings.fromServer(message.getSubject()));
    if (pause.holds(message, kind)) {
      return;
    }
    // On live data there are no grants.
    if (granted != null && component.role == Role.PORTFOLIO && waiting.containsKey(kind)) {
      waiting.get(kind).add(message);
      advance();
    } else {
      handle(message, kind);
    }
  }

  /** Handles data, then executions, then signals, up to the counts that are granted. */
  private void advance() throws Exception {
    for (Subjects.Kind kind : ORDER) {
      int count =
          switch (kind) {
            case DATA -> granted.getData();
            case EXECUTION -> granted.getExecutions();
            default -> granted.getSignals();
          };
      while (component.report.handled(kind) < count) {
        Message next = waiting.get(kind).poll();
        if (next == null) {
          return;
        }
        handle(next, kind);
      }
    }
  }

  private void handle(Message message, Subjects.Kind kind) throws Exception {
    String subject = component.settings.fromServer(message.getSubject());
    Instant start = Instant.now();
    long began = System.nanoTime();
    Exception failure = null;
    try {
      component.routes.dispatch(component, subject, message);
    } catch (Exception error) {
      failure = error;
      throw new IllegalStateException(
          component.role.word() + " '" + component.name() + "' failed on " + subject + ": " + error,
          error);
    } finally {
      component.report.countTime(System.nanoTime() - began);
      // Readable or not, and for what failed the report says why.
      component.endOfMessage(subject, kind, start, failure);
    }
  }

  /** Says what became of the connection; events that were sent meanwhile are lost. */
  void tell(ConnectionListener.Events event) {
    switch (event) {
      case DISCONNECTED -> lose("lost the connection to the server: events may be missing");
      case RECONNECTED -> {
        System.err.println("connected again");
        arrived.add(NOTHING); // so that a report tells a replay
      }
      default -> {}
    }
  }

  private void lose(String what) {
    if (!stopping && !ended) {
      System.err.println(what);
      component.report.lose(what);
    }
  }

  @Override
  public void errorOccurred(Connection connection, String error) {
    if (!error.contains(".grant")) { // who may not hear of a replay is in none
      System.err.println("the server says: " + error);
    }
  }

  @Override
  public void exceptionOccurred(Connection connection, Exception exception) {
    System.err.println("the connection says: " + exception);
  }

  @Override
  public void slowConsumerDetected(Connection connection, Consumer consumer) {
    lose("too slow: events are missing");
    arrived.add(NOTHING);
  }
}
