import type { Msg } from "@nats-io/transport-node";

import type { Kind } from "./subjects.js";

/** Holds back what arrives while an operator has paused the component. */
export class Pause {
  isOn = false;
  private held: Msg[] = [];
  private passed = 0;

  /** How many messages wait for the end of the pause. */
  get waiting(): number {
    return this.held.length;
  }

  /** Whether a message is not to be handled now. What is not market data must not be lost. */
  holds(message: Msg, kind: Kind | undefined): boolean {
    if (this.isOn && kind === "data") {
      this.passed++;
    } else if (this.isOn) {
      this.held.push(message);
    }
    return this.isOn;
  }

  /** Returns the oldest message that was held and may be handled now. */
  next(): Msg | undefined {
    if (this.isOn) {
      return undefined;
    }
    if (this.passed > 0) {
      console.error(`was paused: ${this.passed} bars have passed`);
      this.passed = 0;
    }
    return this.held.shift();
  }

  /** Reports what is lost at a stop. */
  end(): void {
    if (this.held.length + this.passed > 0) {
      console.error(`was paused: ${this.held.length + this.passed} events are not handled`);
    }
  }
}
