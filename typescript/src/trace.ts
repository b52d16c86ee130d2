import { createHash } from "node:crypto";

import { isMessage } from "@bufbuild/protobuf";

import { ExecutionEventSchema, OrderEventSchema } from "./gen/ingenium/v1/events_pb.js";
import { DATA, type Kind } from "./subjects.js";

/** Header of W3C trace context. */
export const TRACEPARENT = "traceparent";

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const KEPT_ORDERS = 65_536;
/** A handling of market data that sent nothing has a span from this time on. */
const SLOW_MS = 100;

/** The place of an event in a trace, and whether spans of the trace are exported. */
interface Trace {
  id: string;
  span: string;
  sampled: boolean;
}

/**
 * A finished span: of a handled event, or of a sent one. Its ids follow from those of events, as
 * those of the Python SDK do, so a redelivery gives the same span. Times are milliseconds since 1970.
 */
export interface Span {
  name: string;
  isSend: boolean;
  /** 32 hexadecimal digits. */
  traceId: string;
  /** 16 hexadecimal digits. */
  spanId: string;
  /** 16 hexadecimal digits; empty for the root of a trace. */
  parentId: string;
  /** The handling that sent an execution which belongs to the trace of its order. */
  link?: { traceId: string; spanId: string };
  start: number;
  end: number;
  attributes: Record<string, string>;
  /** What a handler that failed has thrown. */
  error?: unknown;
}

/** Who makes spans. */
interface Maker {
  name: string;
  role: string;
}

interface SentEvent {
  event: object;
  subject: string;
  id: string;
  trace: Trace;
  at: number;
}

/** Returns the id of the trace that an event begins, 32 hexadecimal digits. */
export function traceId(rootId: string): string {
  return digest(`trace${rootId}`).slice(0, 32);
}

/** Returns the id of the span of sending an event, 16 hexadecimal digits. */
export function sendSpanId(eventId: string): string {
  return digest(`send${eventId}`).slice(0, 16);
}

/** Returns the id of the span of a component that handles an event, 16 hexadecimal digits. */
export function processSpanId(eventId: string, component: string): string {
  return digest(`process${eventId}/${component}`).slice(0, 16);
}

/** The time now, in milliseconds since 1970, with fractions. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Carries the trace of the handled event on to what is sent, and makes the spans of both. */
export class Traces {
  /** Takes spans; without it there are none, and only the header is carried on. */
  export: ((span: Span) => void) | undefined;
  private trace: Trace | undefined;
  private id = "";
  private sent: SentEvent[] = [];
  private readonly orders = new Map<string, Trace>();

  /**
   * Begins with the header of an event. Where it has none, nothing is carried on without an export;
   * with one the event begins a trace: ids follow from events, so all who do this join the same.
   */
  begin(header: string, event: object, id: string): void {
    this.id = id;
    this.sent = [];
    this.trace = parse(header);
    if (!this.trace && this.export) {
      this.trace = { id: traceId(id), span: sendSpanId(id), sampled: true };
    }
    if (this.trace && isMessage(event, OrderEventSchema)) {
      this.orders.set(event.id, this.trace);
      if (this.orders.size > KEPT_ORDERS) {
        this.orders.delete(this.orders.keys().next().value as string);
      }
    }
  }

  /** Returns the header of an event that is sent; an execution is in the trace of its order. */
  headerOf(event: object, id: string, subject: string): string | undefined {
    const order = isMessage(event, ExecutionEventSchema) ? event.orderId : "";
    const cause = this.orders.get(order) ?? this.trace;
    if (!cause) {
      return undefined;
    }
    const trace = { ...cause, span: sendSpanId(id) };
    if (this.export && this.trace) {
      this.sent.push({ event, subject, id, trace, at: now() });
    }
    return `00-${trace.id}-${trace.span}-${trace.sampled ? "01" : "00"}`;
  }

  /** Ends with the spans of the handled event and of what it has sent. */
  end(maker: Maker, subject: string, kind: Kind | undefined, start: number, error?: unknown): void {
    const { trace, id, sent } = this;
    this.trace = undefined;
    this.sent = [];
    if (!this.export || !trace?.sampled) {
      return;
    }
    const end = now();
    const isQuiet = sent.length === 0 && error === undefined && end - start < SLOW_MS;
    if (kind === "data" && isQuiet) {
      return;
    }
    const spanId = processSpanId(id, maker.name);
    const attributes = attributesOf(maker, "process", subject, id);
    const name = `process ${attributes["messaging.destination.template"]}`;
    const ids = { traceId: trace.id, spanId, parentId: trace.span };
    this.export({ name, isSend: false, ...ids, start, end, attributes, error });
    for (const each of sent) {
      this.export(spanOf(each, maker, { traceId: trace.id, spanId }, id));
    }
  }
}

function spanOf(
  sent: SentEvent,
  maker: Maker,
  handling: { traceId: string; spanId: string },
  handled: string,
): Span {
  const { event, subject, id, trace, at } = sent;
  const attributes = attributesOf(maker, "send", subject, id);
  const { symbol, orderId } = event as { symbol?: string; orderId?: string };
  const order = isMessage(event, OrderEventSchema) ? id : orderId;
  if (order) {
    attributes["ingenium.order.id"] = order;
  }
  if (symbol) {
    attributes["ingenium.symbol"] = symbol;
  }
  const span = {
    name: `send ${attributes["messaging.destination.template"]}`,
    isSend: true,
    traceId: trace.id,
    spanId: trace.span,
    parentId: handling.spanId,
    start: at,
    end: at,
    attributes,
  };
  if (isMessage(event, ExecutionEventSchema) && orderId && orderId !== handled) {
    return { ...span, parentId: processSpanId(orderId, maker.name), link: handling };
  }
  return span;
}

function attributesOf(
  maker: Maker,
  operation: string,
  subject: string,
  id: string,
): Record<string, string> {
  return {
    "messaging.system": "nats",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": subject,
    "messaging.destination.template": subject.startsWith(DATA) ? `${DATA}{symbol}` : subject,
    "messaging.message.id": id,
    "messaging.client.id": maker.name,
    "ingenium.component": maker.name,
    "ingenium.role": maker.role,
  };
}

function parse(header: string): Trace | undefined {
  const found = FORM.exec(header.trim());
  if (!found) {
    return undefined;
  }
  const [, version, id = "", span = "", flags = "", rest] = found;
  const isNull = /^0+$/.test(id) || /^0+$/.test(span);
  if (version === "ff" || (version === "00" && rest) || isNull) {
    return undefined;
  }
  return { id, span, sampled: (parseInt(flags, 16) & 1) === 1 };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
