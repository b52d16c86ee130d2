import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { headers, type Msg, type Subscription } from "@nats-io/transport-node";

import { type Component, patternsOf } from "./component.js";
import type { ComponentStatus } from "./gen/ingenium/v1/status_pb.js";
import { type Command, COMMANDS } from "./runner.js";
import { onServer } from "./settings.js";

const TYPES: Readonly<Record<string, string>> = {
  PING: "io.nats.micro.v1.ping_response",
  INFO: "io.nats.micro.v1.info_response",
  STATS: "io.nats.micro.v1.stats_response",
};

/**
 * Lists a component as a NATS micro service (ADR-32), whose id is the life of its status. Its first
 * endpoint stands for all that it handles; the others are the commands of an operator to this start.
 */
export class Service {
  private requests: Subscription[] = [];
  private readonly subjects: string[];
  private readonly taken = new Map<Command, number>(COMMANDS.map((command) => [command, 0]));

  constructor(
    private readonly component: Component,
    private readonly status: () => ComponentStatus,
  ) {
    const { settings, role, exact, wild } = component;
    const patterns = patternsOf(
      role,
      exact.keys(),
      wild.map((each) => each.pattern),
    );
    this.subjects = patterns.map((pattern) => onServer(settings, pattern));
  }

  start(): void {
    const { nats, name } = this.component;
    const callback = (error: Error | null, message: Msg): void => {
      if (!error) {
        this.answer(message);
      }
    };
    // What is asked of all services, of this name, and of this start of it.
    this.requests = ["", `.${name}`, `.${name}.${this.status().life}`].map((whom) =>
      nats.subscribe(`$SRV.*${whom}`, { callback }),
    );
    for (const command of COMMANDS) {
      const take = (error: Error | null, message: Msg): void => {
        if (!error) {
          this.obey(command, message);
        }
      };
      this.requests.push(nats.subscribe(this.subjectOf(command), { callback: take }));
    }
  }

  stop(): void {
    this.requests.forEach((each) => each.unsubscribe());
  }

  private subjectOf(command: Command): string {
    const { settings, name } = this.component;
    const { life } = this.status();
    return onServer(settings, `_ingenium.${settings.app}.command.${name}.${life}.${command}`);
  }

  /**
   * Answers a command. Only what is exactly a request of an operator is obeyed: another strategy
   * could have the server publish a stored message, or an answer, on this subject.
   */
  private obey(command: Command, message: Msg): void {
    const { component } = this;
    if (!/^(_R_|_INBOX)\./.test(message.reply ?? "") || message.headers?.has("Nats-Stream")) {
      console.error("refused a command that no operator has sent");
      return;
    }
    const sender = senderOf(message);
    const problem =
      sender === undefined
        ? "not a command: it needs a Sender, and nothing else"
        : component.obey(command);
    if (problem) {
      const refusal = headers();
      refusal.set("Nats-Service-Error", problem);
      refusal.set("Nats-Service-Error-Code", "400");
      message.respond("", { headers: refusal });
      return;
    }
    this.taken.set(command, (this.taken.get(command) ?? 0) + 1);
    console.error(`${command} by ${sender || "an operator"}`);
    const answer = {
      component: component.name,
      instance: this.status().life,
      paused: component.isPaused,
      stopping: command === "stop",
    };
    message.respond(JSON.stringify(answer));
    if (command === "stop") {
      component.stop();
    }
  }

  private answer(message: Msg): void {
    const verb = message.subject.split(".")[1] ?? "";
    const type = TYPES[verb];
    if (!type || !message.reply) {
      return;
    }
    const answer = {
      type,
      ...this.identity(),
      ...(verb === "INFO" && this.description()),
      ...(verb === "STATS" && this.numbers()),
    };
    message.respond(JSON.stringify(answer));
  }

  private identity(): object {
    const { settings, role, name } = this.component;
    const { life, version, language } = this.status();
    const metadata = {
      app: settings.app,
      role,
      language,
      sdk: "ingenium",
      sdk_version: version,
      prefix: settings.prefix,
      subjects: this.subjects.join(","),
    };
    return { name, id: life, version, metadata };
  }

  private endpoint(): object {
    return { name: "events", subject: this.subjects[0] ?? "", queue_group: "" };
  }

  private commands(): object[] {
    return COMMANDS.map((name) => ({ name, subject: this.subjectOf(name), queue_group: "" }));
  }

  private description(): object {
    const { settings, role, name } = this.component;
    const description = `${role} ${name} of ${settings.app}`;
    const endpoints = [this.endpoint(), ...this.commands()];
    return { description, endpoints: endpoints.map((each) => ({ ...each, metadata: {} })) };
  }

  private numbers(): object {
    const status = this.status();
    const { failed, lastError, milliseconds } = this.component.calls;
    const nanoseconds = Math.round(milliseconds * 1e6);
    // The numbers of the whole component, in the form that all languages share.
    const data = {
      state: status.state,
      problem: status.problem ?? "",
      paused: this.component.isPaused,
      handled: status.handled,
      sent: status.sent,
      failed,
      waiting: status.waiting,
      last_error: lastError,
      processing_time: nanoseconds,
      last_event: status.lastEvent ?? "",
      last_symbol: status.lastSymbol ?? "",
      last_time: timeOf(status.lastTime),
      host: status.host,
      process: status.process,
    };
    const counts = {
      num_requests: status.handled,
      num_errors: failed,
      last_error: lastError,
      processing_time: nanoseconds,
      average_processing_time: Math.round(nanoseconds / Math.max(1, status.handled)),
      data,
    };
    const commands = this.commands().map((each, place) => ({
      ...each,
      num_requests: this.taken.get(COMMANDS[place] as Command),
      num_errors: 0,
      last_error: "",
      processing_time: 0,
      average_processing_time: 0,
    }));
    const endpoints = [{ ...this.endpoint(), ...counts }, ...commands];
    return { started: timeOf(status.startTime), endpoints };
  }
}

/** Returns the sender of a command; undefined where the message is none. */
function senderOf(message: Msg): string | undefined {
  try {
    const command: unknown = message.json();
    const isCommand = typeof command === "object" && command !== null;
    const { Sender, ...others } = (isCommand ? command : {}) as Record<string, unknown>;
    return typeof Sender === "string" && Object.keys(others).length === 0 ? Sender : undefined;
  } catch {
    return undefined;
  }
}

function timeOf(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : "";
}
