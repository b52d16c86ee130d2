import {
  create,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { connect, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";

import { type Bar, barOf } from "./bar.js";
import { Cause } from "./cause.js";
import { readAs, writeAs } from "./codec.js";
import { DataEventSchema, SignalEventSchema } from "./gen/ingenium/v1/events_pb.js";
import { LockstepReportSchema } from "./gen/ingenium/v1/lockstep_pb.js";
import { type ComponentStatus, ComponentStatusSchema } from "./gen/ingenium/v1/status_pb.js";
import { type Command, Runner } from "./runner.js";
import { JSON_TYPE, onServer, optionsFor, type Settings, settingsFrom } from "./settings.js";
import { Status } from "./status.js";
import { channelOf, covers, DATA, dataSubject, type Kind, kindOf, subjectOf } from "./subjects.js";
import { type Span, TRACEPARENT, Traces } from "./trace.js";

/** What a component does in its app. */
export type Role = "ingestor" | "strategy" | "portfolio" | "executor";

/** The words of a signal. */
export const Signal = {
  Long: "ingenium.signal.long",
  Short: "ingenium.signal.short",
  Flat: "ingenium.signal.flat",
} as const;

/** Handles what arrives, one at a time; what it throws ends the component, and a replay with it. */
export type Handler<T> = (event: T, component: Component) => void | Promise<void>;

type Take = (message: Msg) => void | Promise<void>;

/**
 * One part of an app that is connected: it publishes, and with `run` it handles what arrives, one
 * event at a time and in the order of arrival.
 *
 * In a replay it reports what it has handled and sent, so that the replay waits for it exactly; on
 * live data it reports only that it is ready.
 */
export class Component {
  /** @internal */
  readonly exact = new Map<string, Take[]>();
  /** @internal */
  readonly wild: { pattern: string; take: Take }[] = [];
  /** @internal */
  readonly report;
  /** @internal */
  readonly cause = new Cause();
  /** @internal */
  readonly traces = new Traces();
  /** Messages that could not be read, and time spent in handlers. @internal */
  readonly calls = { failed: 0, lastError: "", milliseconds: 0 };
  /** @internal */
  readonly status: Status;
  private readonly runner: Runner;

  private constructor(
    /** The connection, for what this library does not offer. */
    readonly nats: NatsConnection,
    readonly settings: Settings,
    readonly role: Role,
  ) {
    this.report = create(LockstepReportSchema, { component: settings.component, role });
    this.status = new Status(this);
    this.runner = new Runner(this);
  }

  /**
   * Connects a component. Run or close it.
   *
   * @param role what it does in its app
   * @param name its name where the environment has none
   * @param settings where it connects to; those of the environment when left out
   */
  static async connect(role: Role, name: string, settings = settingsFrom(name)): Promise<Component> {
    const options = optionsFor(settings, role);
    const nats = await connect(options).catch((error: Error) => {
      throw new Error(`cannot connect: ${error.message}`);
    });
    return new Component(nats, settings, role);
  }

  /** The component's name within the app. */
  get name(): string {
    return this.settings.component;
  }

  /**
   * Has a handler called for each bar of some symbols, or of all when none is named. Data that
   * cannot be read is logged and passed over.
   */
  onBar(symbols: readonly string[], handler: Handler<Bar>): this {
    const subjects = symbols.length > 0 ? new Set(symbols.map(dataSubject)) : [`${DATA}>`];
    for (const subject of subjects) {
      this.onSubject(subject, DataEventSchema, (event, _, message) => {
        const source = message.headers?.get("Ingenium-Source") ?? "";
        const symbol = choose(symbols, event.symbol, source);
        if (symbol === undefined || !event.ohlc) {
          return;
        }
        let bar: Bar;
        try {
          bar = barOf(event, symbol);
        } catch (error) {
          console.error(`passed over: ${(error as Error).message}`);
          return;
        }
        return handler(bar, this);
      });
    }
    return this;
  }

  /** Has a handler called for each event of a type of the bus. */
  on<S extends DescMessage>(schema: S, handler: Handler<MessageShape<S>>): this {
    return this.onSubject(channelOf(schema).pattern, schema, handler);
  }

  /** Has a handler called for each message of your own on a subject, which may have wild cards. */
  onSubject<S extends DescMessage>(
    subject: string,
    schema: S,
    handler: (event: MessageShape<S>, component: Component, message: Msg) => void | Promise<void>,
  ): this {
    const take: Take = (message) => {
      let event: MessageShape<S>;
      try {
        event = readAs(message.headers?.values("Content-Type") ?? [], schema, message.data);
      } catch (error) {
        console.error(`passed over what cannot be read on ${message.subject}: ${error}`);
        this.calls.failed++;
        this.calls.lastError = String(error);
        return;
      }
      const id = this.cause.begin(message, event);
      if (id !== undefined) {
        this.traces.begin(message.headers?.get(TRACEPARENT) ?? "", event, id);
      }
      this.status.note(schema.typeName, event);
      return handler(event, this, message);
    };
    if (/[*>]/.test(subject)) {
      this.wild.push({ pattern: subject, take });
    } else {
      this.exact.set(subject, [...(this.exact.get(subject) ?? []), take]);
    }
    return this;
  }

  /**
   * Has a function called for each span of a sampled trace, between two events: it must not wait.
   * Without it, a component carries the header traceparent on and makes no spans.
   */
  onSpan(take: (span: Span) => void): this {
    this.traces.export = take;
    return this;
  }

  /** Publishes a signal: one of `Signal`. */
  signal(symbol: string, signal: string): void {
    this.publish(SignalEventSchema, { symbol, signal });
  }

  /**
   * Publishes an event of the bus on its subject. An id and a time that are empty are filled in: both
   * follow from the event that is being handled, so that a replay that is run again gives the same
   * ones; outside of a handler the id is random and the time is the machine's.
   */
  publish<S extends DescMessage>(schema: S, init: MessageInitShape<S>): void {
    const event = create(schema, init);
    const subject = subjectOf(schema, event);
    this.cause.complete(this.name, schema, event);
    this.send(subject, schema, event);
    count(this.report, kindOf(subject), "Sent");
    if (this.role === "ingestor") {
      this.status.note(schema.typeName, event);
    }
  }

  /** Publishes a message of your own on a subject, as it is. */
  publishTo<S extends DescMessage>(subject: string, schema: S, init: MessageInitShape<S>): void {
    this.send(subject, schema, create(schema, init));
  }

  private send<S extends DescMessage>(
    subject: string,
    schema: S,
    event: MessageShape<S>,
    contentType = this.settings.contentType,
  ): void {
    const { id } = event as { id?: unknown };
    const own = headers();
    if (typeof id === "string" && id !== "") {
      own.set("Nats-Msg-Id", id);
    }
    own.set("Ingenium-Source", this.name);
    own.set("Content-Type", contentType);
    const trace =
      typeof id === "string" && id !== "" ? this.traces.headerOf(event, id, subject) : undefined;
    if (trace) {
      own.set(TRACEPARENT, trace);
    }
    const payload = writeAs(contentType, schema, event);
    this.nats.publish(onServer(this.settings, subject), payload, { headers: own });
  }

  /** @internal */
  sendReport(failure = ""): void {
    const report = { ...this.report, error: failure || this.report.error };
    // Reports are JSON in any case.
    const subject = `_ingenium.${this.settings.app}.report`;
    this.send(subject, LockstepReportSchema, report, JSON_TYPE);
  }

  /** @internal */
  sendStatus(status: ComponentStatus): void {
    const subject = `_ingenium.${this.settings.app}.status.${this.name}`;
    this.send(subject, ComponentStatusSchema, status, JSON_TYPE);
  }

  /** @internal */
  get waiting(): number {
    return this.runner.waitingCount;
  }

  /** @internal */
  get isPaused(): boolean {
    return this.runner.isPaused;
  }

  /** Acts upon a command of an operator; returns why it cannot, if so. @internal */
  obey(command: Command): string {
    return this.runner.obey(command);
  }

  /**
   * Subscribes and handles what arrives until a replay ends, a handler throws, or `stop` is called.
   * Then what the server has sent already is handled, and nothing after it; what was published is
   * with the server when this is done, and the connection is closed.
   */
  async run(): Promise<void> {
    try {
      await this.runner.run();
    } catch (error) {
      // A replay is told why the component failed.
      this.sendReport((error as Error).message);
      await this.close().catch((other: Error) => console.error(other.message));
      throw error;
    }
    await this.close();
  }

  /** Does as `run`, and stops on SIGTERM and SIGINT. */
  async runUntilSignal(): Promise<void> {
    const stop = (): void => this.stop();
    const signals = ["SIGINT", "SIGTERM"] as const;
    signals.forEach((signal) => process.on(signal, stop));
    try {
      await this.run();
    } finally {
      signals.forEach((signal) => process.off(signal, stop));
    }
  }

  /** Has `run` end. */
  stop(): void {
    this.runner.stop();
  }

  /** Waits until the server has what was published, and ends the connection. */
  async close(): Promise<void> {
    try {
      if (!this.nats.isClosed()) {
        await this.runner.reached(this.nats.flush());
      }
    } finally {
      await this.nats.close();
    }
  }
}

/**
 * Runs a strategy until a replay ends, or until the process gets SIGTERM or SIGINT. Its name is
 * `INGENIUM_COMPONENT`, or "strategy".
 *
 * @param symbols of which it gets the bars; all when there is none
 * @param handler handles a bar
 */
export async function runStrategy(symbols: readonly string[], handler: Handler<Bar>): Promise<void> {
  const component = await Component.connect("strategy", "strategy");
  await component.onBar(symbols, handler).runUntilSignal();
}

/** Counts what was handled or sent. */
export function count(
  report: Component["report"],
  kind: Kind | undefined,
  what: "Handled" | "Sent",
): void {
  if (kind) {
    report[`${kind}${what}`]++;
  }
}

/**
 * Returns a symbol as it was asked for. Only where a sender does not say who it is, as the original
 * Go library, the case of a symbol does not count.
 */
export function choose(
  symbols: readonly string[],
  symbol: string,
  source: string,
): string | undefined {
  if (symbols.length === 0 || symbols.includes(symbol)) {
    return symbol;
  }
  const lower = symbol.toLowerCase();
  return source === "" ? symbols.find((each) => each.toLowerCase() === lower) : undefined;
}

/** The subjects to subscribe to, without those that others cover. */
export function patternsOf(role: Role, exact: Iterable<string>, wildCards: Iterable<string>): string[] {
  const all = new Set(exact);
  const wild = new Set(wildCards);
  // A replay counts what these roles have handled, whether they have a handler for it or not.
  if (role === "executor") {
    wild.add("ingenium.portfolio.*");
  } else if (role === "portfolio") {
    all.add("ingenium.strategy.signal").add("ingenium.executor.execution");
  }
  wild.forEach((pattern) => all.add(pattern));
  const needsData = role === "executor" || role === "portfolio";
  if (needsData && ![...all].some((pattern) => pattern.startsWith(DATA))) {
    all.add(`${DATA}>`);
  }
  const isCovered = (pattern: string): boolean =>
    [...wild].some((other) => other !== pattern && covers(other, pattern));
  return [...all].filter((pattern) => !isCovered(pattern));
}
