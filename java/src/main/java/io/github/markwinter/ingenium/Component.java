package io.github.markwinter.ingenium;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.github.markwinter.ingenium.v1.DataEvent;
import io.nats.client.Connection;
import io.nats.client.Nats;
import io.nats.client.impl.Headers;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * One part of an app that is connected: it publishes, and with {@link #run} it handles what arrives,
 * one event at a time and in the order of arrival.
 *
 * <p>In a replay it reports what it has handled and sent, so that the replay waits for it exactly; on
 * live data it reports only that it is ready.
 */
public final class Component implements Publisher, AutoCloseable {
  static final Duration LIMIT = Duration.ofSeconds(10);

  final Settings settings;
  final Role role;
  final Routes routes;
  final Report report;
  private final Connection connection;
  final Status status;
  private final Runner runner;
  private final Cause cause = new Cause();
  final Commands commands = new Commands(this);
  private final Traces traces;
  private final Consumer<Span> export;

  private Component(Settings settings, Role role, Routes routes, Consumer<Span> export)
      throws IOException, InterruptedException, GeneralSecurityException {
    this.settings = settings;
    this.role = role;
    this.routes = routes;
    this.export = export;
    this.traces = new Traces(settings.component(), role.word(), export != null);
    this.report = new Report(settings.component(), role.word());
    this.status = new Status(this);
    this.runner = new Runner(this);
    this.connection =
        Nats.connect(
            settings
                .options(role)
                .connectionListener((own, event) -> runner.tell(event))
                .errorListener(runner)
                .build());
  }

  /**
   * Begins a strategy with the settings of the environment.
   *
   * @param name its name where the environment has none
   * @return takes its handlers
   */
  public static Builder strategy(String name) {
    return of(Role.STRATEGY, name);
  }

  /**
   * Begins a component with the settings of the environment.
   *
   * @param role what it does in its app
   * @param name its name where the environment has none
   * @return takes its handlers
   */
  public static Builder of(Role role, String name) {
    return of(role, Settings.from(System.getenv(), name));
  }

  /**
   * Begins a component.
   *
   * @param role what it does in its app
   * @param settings where it connects to
   * @return takes its handlers
   */
  public static Builder of(Role role, Settings settings) {
    return new Builder(role, settings);
  }

  /** Takes the handlers of a component. */
  public static final class Builder {
    private final Role role;
    private final Settings settings;
    private final Routes routes = new Routes();
    private Consumer<Span> export;
    private AutoCloseable last;

    private Builder(Role role, Settings settings) {
      this.role = role;
      this.settings = settings;
    }

    /**
     * Has a handler called for each bar. Data that cannot be read is logged and passed over.
     *
     * @param symbols of these symbols; of all when there is none
     * @param handler handles a bar
     * @return this
     */
    public Builder onBar(List<String> symbols, Handler<Bar> handler) {
      List<String> patterns = symbols.stream().map(Subjects::data).distinct().toList();
      Handler<Arrived<DataEvent>> each =
          (arrived, out) -> {
            DataEvent event = arrived.event();
            String symbol = Routes.choose(symbols, event.getSymbol(), arrived.source());
            if (symbol == null || !event.hasOhlc()) {
              return;
            }
            Bar bar;
            try {
              bar = Bar.of(event, symbol);
            } catch (NumberFormatException error) {
              System.err.println("passed over: " + error.getMessage());
              return;
            }
            handler.handle(bar, out);
          };
      if (symbols.isEmpty()) {
        patterns = List.of(Subjects.DATA + ">");
      }
      patterns.forEach(
          pattern -> routes.add(pattern, DataEvent.getDefaultInstance(), each));
      return this;
    }

    /**
     * Has a handler called for each event of a type of the bus.
     *
     * @param type an empty event, such as {@code OrderEvent.getDefaultInstance()}
     * @param handler handles an event
     * @param <T> the type
     * @return this
     */
    public <T extends Message> Builder on(T type, Handler<T> handler) {
      return onSubject(Subjects.channelOf(type).pattern(), type, handler);
    }

    /**
     * Has a handler called for each message of one's own type on a subject.
     *
     * @param subject where; may have wild cards
     * @param type an empty message
     * @param handler handles a message
     * @param <T> the type
     * @return this
     */
    public <T extends Message> Builder onSubject(String subject, T type, Handler<T> handler) {
      routes.add(subject, type, (arrived, out) -> handler.handle(arrived.event(), out));
      return this;
    }

    /**
     * Has a function called for each span of a sampled trace, between two events: it must not wait.
     * Without it, a component carries the header traceparent on and makes no spans.
     *
     * @param export takes a span
     * @return this
     */
    public Builder onSpan(Consumer<Span> export) {
      this.export = export;
      return this;
    }

    /**
     * Has something closed when {@link #run} is over, before a process that was asked to stop ends.
     *
     * @param last such as an exporter with spans left
     * @return this
     */
    public Builder closeAtEnd(AutoCloseable last) {
      this.last = last;
      return this;
    }

    /**
     * Connects. Run or close the component.
     *
     * @return the component
     * @throws IOException the server cannot be reached
     * @throws InterruptedException this thread is to stop
     * @throws GeneralSecurityException a certificate or key cannot be used
     */
    public Component connect() throws IOException, InterruptedException, GeneralSecurityException {
      return new Component(settings, role, routes, export);
    }

    /**
     * Connects and runs until a replay ends, or until the process gets SIGTERM or Ctrl+C; it then ends
     * with 0.
     *
     * @throws Exception a handler failed, or the server cannot be reached
     */
    public void run() throws Exception {
      Component component = connect();
      StopSignal signal = new StopSignal(component::stop);
      try (signal; AutoCloseable end = last) {
        component.run();
        signal.succeed();
      }
    }
  }

  /**
   * The component's name within the app.
   *
   * @return its name
   */
  public String name() {
    return settings.component();
  }

  /**
   * The connection, for what this library does not offer.
   *
   * @return the connection
   */
  public Connection nats() {
    return connection;
  }

  @Override
  public synchronized void publish(Message event) {
    String subject = Subjects.of(event);
    Message complete = cause.complete(name(), event);
    String id = Subjects.text(complete, "id");
    send(subject, complete, id, settings.contentType(), traces.headerOf(complete, id, subject));
    report.countSent(Subjects.Kind.of(subject));
    if (role == Role.INGESTOR) {
      status.note(complete);
    }
  }

  @Override
  public void publishTo(String subject, Message message) {
    send(subject, message, Subjects.text(message, "id"), settings.contentType());
  }

  private void send(String subject, Message message, String id, String form) {
    send(subject, message, id, form, null);
  }

  private void send(String subject, Message message, String id, String form, String trace) {
    Headers headers = new Headers();
    if (!id.isEmpty()) {
      headers.put("Nats-Msg-Id", id);
    }
    headers.put("Ingenium-Source", name()).put("Content-Type", form);
    if (trace != null) {
      headers.put(Traces.TRACEPARENT, trace);
    }
    try {
      connection.publish(settings.onServer(subject), headers, Codec.write(form, message));
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalArgumentException("cannot write " + message, error);
    }
  }

  void sendReport(String failure) {
    // Reports are JSON in any case.
    send("_ingenium." + settings.app() + ".report", report.message(failure), "", Codec.JSON);
  }

  void sendStatus(Message message) {
    String subject = "_ingenium." + settings.app() + ".status." + name();
    send(subject, message, "", Codec.JSON);
  }

  int waiting() {
    return runner.waiting();
  }

  boolean isPaused() {
    return runner.isPaused();
  }

  synchronized void begin(io.nats.client.Message message, Message event) {
    String id = cause.begin(message, event, message.getData());
    if (id != null) {
      Headers headers = message.getHeaders();
      traces.begin(headers == null ? null : headers.getFirst(Traces.TRACEPARENT), event, id);
    }
    status.note(event);
  }

  void endOfMessage(String subject, Subjects.Kind kind, Instant start, Exception failure) {
    List<Span> spans;
    synchronized (this) {
      cause.end();
      spans = traces.end(subject, kind, start, failure);
      report.countHandled(kind);
    }
    spans.forEach(span -> export.accept(span));
  }

  /**
   * Subscribes and handles what arrives until a replay ends, a handler fails, or {@link #stop} is
   * called. Then what the server has sent already is handled, and nothing after it; what was published
   * is with the server when this returns, and the connection is closed.
   *
   * @throws Exception a handler failed, or the server cannot be reached
   */
  public void run() throws Exception {
    try {
      runner.run();
    } catch (Exception error) {
      // A replay is told why the component failed.
      sendReport(String.valueOf(error.getMessage()));
      throw error;
    } finally {
      close();
    }
  }

  /** Has {@link #run} return; may be called from any thread. */
  public void stop() {
    runner.stop();
  }

  /** Waits until the server has what was published, and ends the connection. */
  @Override
  public void close() {
    try {
      if (connection.getStatus() != Connection.Status.CLOSED) {
        connection.flush(LIMIT);
      }
    } catch (TimeoutException error) {
      throw new IllegalStateException("cannot reach the server", error);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    } finally {
      runner.stop();
      try {
        connection.close();
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
