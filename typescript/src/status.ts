import { hostname } from "node:os";

import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow } from "@bufbuild/protobuf/wkt";
import type { Subscription } from "@nats-io/transport-node";

import { type ComponentStatus, ComponentStatusSchema } from "./gen/ingenium/v1/status_pb.js";
import type { Component } from "./component.js";
import { randomId } from "./ids.js";
import { Service } from "./service.js";
import { onServer } from "./settings.js";

/** The version of this library. */
export const VERSION = "0.1.0";

const INTERVAL_SECONDS = 5;

/** Says every few seconds, and to whoever asks, how a component is. */
export class Status {
  private readonly base;
  private timer: NodeJS.Timeout | undefined;
  private asks: Subscription[] = [];
  private service: Service | undefined;
  private last: { event: string; symbol: string; time: Timestamp } | undefined;

  constructor(private readonly component: Component) {
    this.base = {
      app: component.settings.app,
      component: component.name,
      role: component.role,
      language: "typescript",
      version: VERSION,
      life: randomId("life"),
      host: hostname(),
      process: process.pid,
      startTime: timestampNow(),
      intervalSeconds: INTERVAL_SECONDS,
    };
  }

  /** Notes the event that was handled last; of an ingestor: that was sent last. */
  note(typeName: string, event: object): void {
    const { symbol } = event as { symbol?: unknown };
    this.last = {
      event: typeName.slice(typeName.lastIndexOf(".") + 1),
      symbol: typeof symbol === "string" ? symbol : "",
      time: timestampNow(),
    };
  }

  start(): void {
    const { nats, settings, name } = this.component;
    const ask = `_ingenium.${settings.app}.ask`;
    const callback = (error: Error | null): void => {
      if (!error) {
        this.say("ready");
      }
    };
    this.asks = [ask, `${ask}.${name}`].map((subject) =>
      nats.subscribe(onServer(settings, subject), { callback }),
    );
    this.service = new Service(this.component, () => this.now("ready"));
    this.service.start();
    this.timer = setInterval(() => this.say("ready"), INTERVAL_SECONDS * 1000);
    this.say("ready");
  }

  stop(): void {
    clearInterval(this.timer);
    this.service?.stop();
    this.asks.forEach((ask) => ask.unsubscribe());
    this.say("stopped");
  }

  private say(state: string): void {
    this.component.sendStatus(this.now(state));
  }

  private now(state: string): ComponentStatus {
    const { report } = this.component;
    const { last } = this;
    const problem = report.error || (this.component.isPaused ? "paused by an operator" : "");
    return create(ComponentStatusSchema, {
      ...this.base,
      state,
      timestamp: timestampNow(),
      handled:
        report.dataHandled + report.signalsHandled + report.ordersHandled + report.executionsHandled,
      sent: report.dataSent + report.signalsSent + report.ordersSent + report.executionsSent,
      waiting: this.component.waiting,
      ...(last && { lastEvent: last.event, lastTime: last.time }),
      ...(last?.symbol && { lastSymbol: last.symbol }),
      ...(problem && { problem }),
    });
  }
}
