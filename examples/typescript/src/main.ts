/**
 * An RSI strategy on the types that `buf generate` makes from Ingenium's schemas.
 *
 * It is a full member of a replay: it reports what it has handled and sent, so the replay waits for
 * it exactly. On live data nobody reads the reports, and they do no harm.
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";

import {
  create,
  type DescMessage,
  fromJson,
  fromJsonString,
  type MessageShape,
  toJsonString,
} from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  connect,
  type ConnectionOptions,
  headers,
  type Msg,
  type NatsConnection,
} from "@nats-io/transport-node";

import { type DataEvent, DataEventSchema, SignalEventSchema } from "./gen/ingenium/v1/events_pb.js";
import { LockstepGrantSchema, LockstepReportSchema } from "./gen/ingenium/v1/lockstep_pb.js";
import { Rsi } from "./rsi.js";

// A later version may send fields that this program does not know.
const READ = { ignoreUnknownFields: true };
// The format writes fields without presence even when they are empty.
const WRITE = { alwaysEmitImplicit: true };

interface Settings {
  app: string;
  name: string;
  symbols: string[];
  period: number;
  buyBelow: number;
  sellAbove: number;
}

class Strategy {
  private readonly report;
  private readonly symbols = new Map<string, Rsi>();
  private reporting = false;
  private stopping = false;

  constructor(
    private readonly nc: NatsConnection,
    private readonly settings: Settings,
  ) {
    this.report = create(LockstepReportSchema, { component: settings.name, role: "strategy" });
    for (const symbol of settings.symbols) {
      this.symbols.set(symbol, new Rsi(settings.period));
    }
  }

  async run(): Promise<void> {
    // The client calls back for one message at a time, in the order of all subjects.
    const take = (handle: (message: Msg) => void) => (error: Error | null, message: Msg) => {
      if (error) {
        fail(`cannot receive: ${error.message}`);
      }
      handle(message);
      this.reportSoon();
    };
    const subscriptions = [
      this.nc.subscribe(onServer(`_ingenium.${this.settings.app}.grant`), {
        callback: take((message) => this.handleGrant(message)),
      }),
      ...this.settings.symbols.map((symbol) =>
        this.nc.subscribe(onServer(`ingenium.ingestor.data.${symbol.toLowerCase()}`), {
          callback: take((message) => this.handleData(message)),
        }),
      ),
    ];
    const stop = async (): Promise<void> => {
      if (this.stopping) {
        return;
      }
      this.stopping = true;
      // The server answers after all that it sent before, so that is handled then.
      await Promise.all(subscriptions.map((subscription) => subscription.drain()));
      this.sendReport();
      await this.close();
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => void stop().catch((error) => fail(`cannot stop: ${error}`)));
    }
    await this.nc.flush();
    this.sendReport(); // ready

    const error = await this.nc.closed();
    if (error || !this.stopping) {
      fail(`lost the connection: ${error?.message ?? "the server closed it"}`);
    }
  }

  /**
   * Ends with the replay. A strategy needs no other grant: it handles what arrives. Step 0 asks who
   * is there, and the report that follows is the answer.
   */
  private handleGrant(message: Msg): void {
    const grant = read(LockstepGrantSchema, message);
    if (grant?.end && !this.stopping) {
      this.stopping = true;
      this.close().catch((error) => fail(`cannot stop: ${error}`));
    }
  }

  private handleData(message: Msg): void {
    this.report.dataHandled++;
    const event = read(DataEventSchema, message);
    const index = event && this.symbols.get(event.symbol);
    const close = event?.ohlc?.close ?? "";
    const price = close.trim() === "" ? NaN : Number(close);
    if (!event || !index || Number.isNaN(price)) {
      return;
    }
    const value = index.update(price);
    if (value < this.settings.buyBelow) {
      this.sendSignal(event, "ingenium.signal.long");
    } else if (value > this.settings.sellAbove) {
      this.sendSignal(event, "ingenium.signal.short");
    }
  }

  private sendSignal(cause: DataEvent, opinion: string): void {
    // An id that follows from the cause: a replay that is run again makes the same one.
    const hash = createHash("sha256").update(this.settings.name + (cause.id ?? "") + opinion);
    const event = create(SignalEventSchema, {
      symbol: cause.symbol,
      signal: opinion,
      id: `signal_${hash.digest("hex").slice(0, 27)}`,
    });
    try {
      // The time of the replay, not of this machine.
      event.timestamp = fromJson(TimestampSchema, cause.timestamp);
    } catch {
      console.error(`sends a signal without a time: ${JSON.stringify(cause.timestamp)} is none`);
    }
    this.publish("ingenium.strategy.signal", SignalEventSchema, event);
    this.report.signalsSent++;
  }

  /** Reports once all that has arrived with this message is handled. */
  private reportSoon(): void {
    if (this.reporting) {
      return;
    }
    this.reporting = true;
    setImmediate(() => {
      this.reporting = false;
      if (!this.stopping) {
        this.sendReport();
      }
    });
  }

  private sendReport(): void {
    this.publish(`_ingenium.${this.settings.app}.report`, LockstepReportSchema, this.report);
  }

  private publish<Schema extends DescMessage>(
    subject: string,
    schema: Schema,
    event: MessageShape<Schema>,
  ): void {
    const source = headers();
    source.set("Ingenium-Source", this.settings.name);
    this.nc.publish(onServer(subject), toJsonString(schema, event, WRITE), { headers: source });
  }

  /** Waits until the server has what was published. */
  private async close(): Promise<void> {
    await this.nc.flush();
    await this.nc.close();
  }
}

function read<Schema extends DescMessage>(
  schema: Schema,
  message: Msg,
): MessageShape<Schema> | undefined {
  try {
    return fromJsonString(schema, message.string(), READ);
  } catch (error) {
    console.error(`skipped what cannot be read on ${message.subject}: ${error}`);
    return undefined;
  }
}

function fail(problem: string): never {
  console.error(problem);
  process.exit(1);
}

function number(name: string, value: string): number {
  const parsed = Number(value);
  if (value.trim() === "" || Number.isNaN(parsed)) {
    fail(`--${name} is ${JSON.stringify(value)}: pass a number`);
  }
  return parsed;
}

function settings(): Settings {
  const { values } = parseArgs({
    options: {
      symbols: { type: "string", default: "" },
      period: { type: "string", default: "2" },
      "buy-below": { type: "string", default: "5" },
      "sell-above": { type: "string", default: "95" },
    },
  });
  if (values.symbols === "") {
    fail("no symbols: pass --symbols AAPL,IBM");
  }
  return {
    app: process.env["INGENIUM_APP"] || "app",
    name: process.env["INGENIUM_COMPONENT"] || "rsi",
    symbols: values.symbols.split(","),
    period: number("period", values.period),
    buyBelow: number("buy-below", values["buy-below"]),
    sellAbove: number("sell-above", values["sell-above"]),
  };
}

/** Puts the prefix before a subject that keeps apps on one server apart. */
function onServer(subject: string): string {
  const prefix = process.env["INGENIUM_PREFIX"];
  return prefix ? `${prefix}.${subject}` : subject;
}

/** Takes user and password, or a token, out of the address: this client wants them apart. */
function server(addresses: string): ConnectionOptions {
  const servers = addresses.split(",");
  const [first] = servers;
  if (!URL.canParse(first ?? "")) {
    fail("NATS_SERVER is no address: set it to one such as nats://127.0.0.1:4222");
  }
  const { username, password } = new URL(first ?? "");
  const hosts = servers.map((address) => address.replace(/^(\w+:\/\/)?.*@/, "$1"));
  if (username === "") {
    return { servers: hosts };
  }
  const user = decodeURIComponent(username);
  return password === ""
    ? { servers: hosts, token: user }
    : { servers: hosts, user, pass: decodeURIComponent(password) };
}

const chosen = settings();
const nc = await connect({
  ...server(process.env["NATS_SERVER"] || "nats://127.0.0.1:4222"),
  name: chosen.name,
  // What is sent while a connection is gone is gone too, and a strategy cannot know what it missed.
  reconnect: false,
}).catch((error: Error) => fail(`cannot connect: ${error.message}`));
await new Strategy(nc, chosen).run();
