import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Msg, Subscription } from "@nats-io/transport-node";

import { type Component, patternsOf } from "./component.js";
import type { ComponentStatus } from "./gen/ingenium/v1/status_pb.js";
import { onServer } from "./settings.js";

const TYPES: Readonly<Record<string, string>> = {
  PING: "io.nats.micro.v1.ping_response",
  INFO: "io.nats.micro.v1.info_response",
  STATS: "io.nats.micro.v1.stats_response",
};

/**
 * Lists a component as a NATS micro service (ADR-32), whose id is the life of its status. Its one
 * endpoint stands for all that it handles.
 */
export class Service {
  private requests: Subscription[] = [];
  private readonly subjects: string[];

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
  }

  stop(): void {
    this.requests.forEach((each) => each.unsubscribe());
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

  private description(): object {
    const { settings, role, name } = this.component;
    const description = `${role} ${name} of ${settings.app}`;
    return { description, endpoints: [{ ...this.endpoint(), metadata: {} }] };
  }

  private numbers(): object {
    const status = this.status();
    const { failed, lastError, milliseconds } = this.component.calls;
    const nanoseconds = Math.round(milliseconds * 1e6);
    // The numbers of the whole component, in the form that all languages share.
    const data = {
      state: status.state,
      problem: status.problem ?? "",
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
    return { started: timeOf(status.startTime), endpoints: [{ ...this.endpoint(), ...counts }] };
  }
}

function timeOf(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : "";
}
