package com.example.rsi;

import io.nats.client.Connection;
import io.nats.client.ConnectionListener;
import io.nats.client.Consumer;
import io.nats.client.Dispatcher;
import io.nats.client.ErrorListener;
import io.nats.client.Message;
import io.nats.client.Nats;
import io.nats.client.Options;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;

/** Runs the strategy: connects, hands it one event at a time, and stops it. */
public final class Main {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  /** Something else than a message has happened. */
  private static final Runnable NOTHING = () -> {};

  // One queue for all that happens, so that one event is handled at a time and in order.
  private final BlockingQueue<Runnable> arrived = new LinkedBlockingQueue<>();
  private volatile boolean stopping;
  private volatile String problem = "";

  public static void main(String[] symbols) throws Exception {
    if (symbols.length == 0) {
      System.err.println("no symbols: pass them, such as AAPL IBM");
      System.exit(2);
    }
    new Main().run(symbols);
  }

  private void run(String[] symbols) throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    String name = environment("INGENIUM_COMPONENT", "rsi");
    Options options =
        Options.builder()
            .server(environment("NATS_SERVER", Options.DEFAULT_URL))
            .connectionName(name)
            .connectionListener((connection, event) -> tell(event))
            .errorListener(new Errors())
            .build();
    try (Connection connection = Nats.connect(options)) {
      Strategy strategy =
          new Strategy(connection, name, environment("INGENIUM_APP", "app"), symbols);
      stopOnSignal(done);
      String grants = strategy.controlSubject("grant");
      Dispatcher dispatcher = connection.createDispatcher();
      dispatcher.setPendingLimits(0, 0); // the handlers only put into the queue
      dispatcher.subscribe(grants, message -> put(() -> handleGrant(strategy, message)));
      for (String symbol : symbols) {
        String subject =
            Strategy.onServer("ingenium.ingestor.data." + symbol.toLowerCase(Locale.ROOT));
        dispatcher.subscribe(subject, message -> put(() -> strategy.handleData(message.getData())));
      }
      connection.flush(LIMIT);
      strategy.sendReport(problem); // ready

      while (!stopping) {
        arrived.take().run();
        if (arrived.isEmpty() && !stopping) {
          strategy.sendReport(problem);
        }
      }
      // What the server has sent already is handled, and nothing after it: drain waits until the
      // server has answered, and until the dispatcher has put all of it into the queue.
      dispatcher.drain(LIMIT).get();
      for (Runnable next = arrived.poll(); next != null; next = arrived.poll()) {
        next.run();
      }
      strategy.sendReport(problem);
      connection.flush(LIMIT);
    } finally {
      done.countDown();
    }
  }

  private void put(Runnable task) {
    arrived.add(task);
  }

  private void handleGrant(Strategy strategy, Message message) {
    if (strategy.isEnd(message.getData())) {
      stopping = true;
    }
  }

  /** Ends with 0 after SIGTERM and Ctrl+C; the machine's own way would be 143 at once. */
  private void stopOnSignal(CountDownLatch done) {
    Runnable stop =
        () -> {
          if (done.getCount() == 0) {
            return; // main has ended by itself, or by a failure
          }
          stopping = true;
          put(NOTHING);
          try {
            done.await();
          } catch (InterruptedException interrupted) {
            Runtime.getRuntime().halt(1);
          }
          Runtime.getRuntime().halt(0);
        };
    Runtime.getRuntime().addShutdownHook(new Thread(stop));
  }

  /** Says what became of the connection; events that were sent meanwhile are lost. */
  private void tell(ConnectionListener.Events event) {
    switch (event) {
      case DISCONNECTED -> fail("lost the connection to the server: events may be missing");
      case RECONNECTED -> {
        System.err.println("connected again");
        put(NOTHING); // so that a report tells a replay
      }
      case CLOSED -> {
        if (!stopping) {
          fail("cannot reach the server any more");
          Runtime.getRuntime().halt(1);
        }
      }
      default -> {}
    }
  }

  private void fail(String what) {
    if (!stopping) {
      System.err.println(what);
      problem = what;
    }
  }

  private final class Errors implements ErrorListener {
    @Override
    public void errorOccurred(Connection connection, String error) {
      fail("the server says: " + error);
    }

    @Override
    public void exceptionOccurred(Connection connection, Exception exception) {
      fail("the connection says: " + exception);
    }

    @Override
    public void slowConsumerDetected(Connection connection, Consumer consumer) {
      fail("too slow: events are missing");
    }
  }

  private static String environment(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }
}
