import type { Msg, Subscription } from "@nats-io/transport-node";

import { read } from "./codec.js";
import { type Component, count, patternsOf } from "./component.js";
import { type LockstepGrant, LockstepGrantSchema } from "./gen/ingenium/v1/lockstep_pb.js";
import { Pause } from "./pause.js";
import { fromServer, onServer } from "./settings.js";
import { covers, type Kind, kindOf } from "./subjects.js";
import { now } from "./trace.js";

const LIMIT_MS = 10_000;
const STEPS = ["data", "executions", "signals"] as const;

/** What an operator may have a component do. */
export const COMMANDS = ["pause", "resume", "stop"] as const;
export type Command = (typeof COMMANDS)[number];

/** Hands a component one message at a time, and keeps it in step with a replay. */
export class Runner {
  // One queue for all subjects, so that one event is handled at a time and in order.
  private arrived: Msg[] = [];
  private readonly waiting = new Map<Kind, Msg[]>(STEPS.map((kind) => [kind, []]));
  private readonly pause = new Pause();
  private granted: LockstepGrant | undefined;
  private wake: () => void = () => {};
  private stopping = false;
  private ended = false;
  private problem: Error | undefined;

  private readonly grants: string;

  constructor(private readonly component: Component) {
    this.grants = `_ingenium.${component.settings.app}.grant`;
  }

  async run(): Promise<void> {
    const { nats } = this.component;
    void this.watch();
    const subscriptions = this.subscribe();
    await this.reached(nats.flush());
    this.component.sendReport(); // ready
    this.component.status.start();
    try {
      await this.loop(subscriptions);
    } finally {
      this.component.status.stop();
    }
  }

  /** How many messages have arrived and are not taken. */
  get waitingCount(): number {
    return this.arrived.length + this.pause.waiting;
  }

  get isPaused(): boolean {
    return this.pause.isOn;
  }

  /** Acts upon a command of an operator; returns why it cannot, if so. */
  obey(command: Command): string {
    if (command === "pause" && this.granted) {
      return "a replay cannot be paused";
    }
    if (command !== "stop") {
      this.pause.isOn = command === "pause";
      this.wake();
    }
    return "";
  }

  private async loop(subscriptions: Subscription[]): Promise<void> {
    while (!this.stopping && !this.ended) {
      await this.next();
      await this.takeAll();
      if (this.granted && !this.stopping && !this.ended) {
        this.component.sendReport();
      }
    }
    if (this.ended) {
      return;
    }
    // The server answers after all that it sent before, so that is here then.
    // The server has ended the one for grants where nobody may hear of a replay.
    const open = subscriptions.filter((each) => !each.isClosed());
    await this.reached(Promise.all(open.map((each) => each.drain())));
    await this.takeAll();
    this.pause.end();
    if (this.granted) {
      this.component.sendReport();
    }
  }

  stop(): void {
    this.stopping = true;
    this.wake();
  }

  /** Waits for the server, and not for long. */
  async reached<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    });
    try {
      return await Promise.race([answer, late]);
    } catch (error) {
      throw new Error(`cannot reach the server: ${(error as Error).message}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  private subscribe(): Subscription[] {
    const { nats, settings, role, exact, wild } = this.component;
    const patterns = patternsOf(role, exact.keys(), wild.map((each) => each.pattern));
    return [this.grants, ...patterns].map((subject) => {
      const callback = (error: Error | null, message: Msg): void => {
        if (!error) {
          this.arrived.push(message);
        } else if (subject !== this.grants) {
          // Who may not hear of a replay is in none.
          this.problem = new Error(`cannot receive ${subject}: ${error.message}`);
        }
        this.wake();
      };
      return nats.subscribe(onServer(settings, subject), { callback });
    });
  }

  private async next(): Promise<void> {
    if (this.arrived.length === 0 && !this.problem && !this.stopping) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.problem) {
      throw this.problem;
    }
  }

  private async takeAll(): Promise<void> {
    await this.takeHeld();
    while (this.arrived.length > 0 && !this.ended) {
      const messages = this.arrived;
      this.arrived = [];
      for (const message of messages) {
        const subject = fromServer(this.component.settings, message.subject);
        if (subject === this.grants || !this.pause.holds(message, kindOf(subject))) {
          await this.take(message);
        }
        // A pause may have ended while a handler waited for something.
        await this.takeHeld();
      }
    }
  }

  private async takeHeld(): Promise<void> {
    for (let next = this.pause.next(); next && !this.ended; next = this.pause.next()) {
      await this.take(next);
    }
  }

  private async take(message: Msg): Promise<void> {
    const { settings, role } = this.component;
    const subject = fromServer(settings, message.subject);
    if (subject === this.grants) {
      return this.grant(message);
    }
    const kind = kindOf(subject);
    const queue = kind && this.waiting.get(kind);
    // On live data there are no grants.
    if (this.granted && role === "portfolio" && queue) {
      queue.push(message);
      return this.advance();
    }
    return this.handle(message, subject, kind);
  }

  private async grant(message: Msg): Promise<void> {
    const { name, role } = this.component;
    let grant: LockstepGrant;
    try {
      grant = read(LockstepGrantSchema, message.string());
    } catch (error) {
      console.error(`passed over a grant that cannot be read: ${error}`);
      return;
    }
    this.ended = grant.end;
    if (role === "portfolio" && grant.component === name) {
      this.granted = grant;
      await this.advance();
    } else {
      this.granted ??= grant;
    }
  }

  /** Handles data, then executions, then signals, up to the counts that are granted. */
  private async advance(): Promise<void> {
    const { report, settings } = this.component;
    for (const kind of STEPS) {
      while (this.granted && report[`${kind}Handled`] < this.granted[kind]) {
        const next = this.waiting.get(kind)?.shift();
        if (!next) {
          return;
        }
        await this.handle(next, fromServer(settings, next.subject), kind);
      }
    }
  }

  private async handle(message: Msg, subject: string, kind: Kind | undefined): Promise<void> {
    const { component } = this;
    const wild = component.wild.filter((each) => covers(each.pattern, subject));
    const began = now();
    let failure: unknown;
    try {
      for (const take of [...(component.exact.get(subject) ?? []), ...wild.map((w) => w.take)]) {
        const pending = take(message);
        if (pending) {
          await pending;
        }
      }
    } catch (error) {
      failure = error ?? "nothing was thrown";
      const what = error instanceof Error ? error.message : String(error);
      const who = `${component.role} '${component.name}'`;
      throw new Error(`${who} failed on ${subject}: ${what}`, { cause: error });
    } finally {
      component.calls.milliseconds += now() - began;
      // Readable or not, and for what failed the report says why.
      component.cause.end();
      component.traces.end(component, subject, kind, began, failure);
      count(component.report, kind, "Handled");
    }
  }

  /** Says what became of the connection; events that were sent meanwhile are lost. */
  private async watch(): Promise<void> {
    const { nats, report } = this.component;
    for await (const status of nats.status()) {
      if (status.type === "disconnect" && !this.stopping && !this.ended) {
        report.error = "lost the connection to the server: events may be missing";
        console.error(report.error);
      } else if (status.type === "reconnect") {
        console.error("connected again");
        if (this.granted) {
          this.component.sendReport(); // a replay ends with it
        }
      } else if (status.type === "error" && !status.error.message.includes(".grant")) {
        console.error(`the connection says: ${status.error.message}`);
      }
    }
    const error = await nats.closed();
    if (!this.stopping && !this.ended) {
      this.problem = new Error(`lost the connection: ${error ? error.message : "it was closed"}`);
      this.wake();
    }
  }
}
