package io.github.markwinter.ingenium;

import io.github.markwinter.ingenium.v1.ComponentStatus;
import io.github.markwinter.ingenium.v1.LockstepReport;

/** What a component has handled and sent, as a replay counts it. */
final class Report {
  private final LockstepReport.Builder counts;
  private volatile String problem = "";
  private Calls calls = new Calls(0, "", 0);

  /** What came of the calls of handlers: messages that could not be read, and time spent. */
  record Calls(int failed, String lastError, long nanoseconds) {}

  Report(String component, String role) {
    counts = LockstepReport.newBuilder().setComponent(component).setRole(role);
  }

  /** Events may be missing, and why. */
  void lose(String what) {
    problem = what;
  }

  synchronized LockstepReport message(String failure) {
    return counts.clone().setError(failure.isEmpty() ? problem : failure).build();
  }

  /** Puts counts and problem into a status. */
  synchronized void describe(ComponentStatus.Builder status) {
    status.setHandled(
        counts.getDataHandled()
            + counts.getSignalsHandled()
            + counts.getOrdersHandled()
            + counts.getExecutionsHandled());
    status.setSent(
        counts.getDataSent()
            + counts.getSignalsSent()
            + counts.getOrdersSent()
            + counts.getExecutionsSent());
    if (!problem.isEmpty()) {
      status.setProblem(problem);
    }
  }

  synchronized Calls calls() {
    return calls;
  }

  synchronized void countUnreadable(String error) {
    calls = new Calls(calls.failed() + 1, error, calls.nanoseconds());
  }

  synchronized void countTime(long nanoseconds) {
    calls = new Calls(calls.failed(), calls.lastError(), calls.nanoseconds() + nanoseconds);
  }

  synchronized void countSent(Subjects.Kind kind) {
    switch (kind) {
      case DATA -> counts.setDataSent(counts.getDataSent() + 1);
      case SIGNAL -> counts.setSignalsSent(counts.getSignalsSent() + 1);
      case ORDER -> counts.setOrdersSent(counts.getOrdersSent() + 1);
      case EXECUTION -> counts.setExecutionsSent(counts.getExecutionsSent() + 1);
      case OTHER -> {}
    }
  }

  synchronized void countHandled(Subjects.Kind kind) {
    switch (kind) {
      case DATA -> counts.setDataHandled(handled(kind) + 1);
      case SIGNAL -> counts.setSignalsHandled(handled(kind) + 1);
      case ORDER -> counts.setOrdersHandled(handled(kind) + 1);
      case EXECUTION -> counts.setExecutionsHandled(handled(kind) + 1);
      case OTHER -> {}
    }
  }

  synchronized int handled(Subjects.Kind kind) {
    return switch (kind) {
      case DATA -> counts.getDataHandled();
      case SIGNAL -> counts.getSignalsHandled();
      case ORDER -> counts.getOrdersHandled();
      case EXECUTION -> counts.getExecutionsHandled();
      case OTHER -> 0;
    };
  }
}
