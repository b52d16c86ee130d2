package io.github.markwinter.ingenium;

import java.util.concurrent.CountDownLatch;

/** Stops a component on SIGTERM and Ctrl+C; the machine's own way would be to end at once, with 143. */
final class StopSignal implements AutoCloseable {
  private final CountDownLatch done = new CountDownLatch(1);
  private volatile int code = 1;

  StopSignal(Runnable stop) {
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  if (done.getCount() == 0) {
                    return; // main has ended by itself, or by a failure
                  }
                  stop.run();
                  try {
                    done.await();
                  } catch (InterruptedException interrupted) {
                    code = 1;
                  }
                  Runtime.getRuntime().halt(code);
                }));
  }

  /** The component has ended as it should. */
  void succeed() {
    code = 0;
  }

  @Override
  public void close() {
    done.countDown();
  }
}
