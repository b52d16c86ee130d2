import { createHash } from "node:crypto";

import { isMessage } from "@bufbuild/protobuf";

import { ExecutionEventSchema, OrderEventSchema } from "./gen/ingenium/v1/events_pb.js";

/** Header of W3C trace context. */
export const TRACEPARENT = "traceparent";

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const KEPT_ORDERS = 65_536;

/** The trace of an event: its id, and whether its spans are exported. */
interface Trace {
  id: string;
  sampled: boolean;
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

/** Carries the trace of the handled event on to what is sent. */
export class Traces {
  private trace: Trace | undefined;
  private readonly orders = new Map<string, Trace>();

  /** Begins with the header of an event; nothing is carried on where it has none. */
  begin(header: string, event: object): void {
    this.trace = parse(header);
    if (this.trace && isMessage(event, OrderEventSchema)) {
      this.orders.set(event.id, this.trace);
      if (this.orders.size > KEPT_ORDERS) {
        this.orders.delete(this.orders.keys().next().value as string);
      }
    }
  }

  end(): void {
    this.trace = undefined;
  }

  /** Returns the header of an event that is sent; an execution is in the trace of its order. */
  headerOf(event: object, id: string): string | undefined {
    const order = isMessage(event, ExecutionEventSchema) ? event.orderId : "";
    const trace = this.orders.get(order) ?? this.trace;
    return trace && `00-${trace.id}-${sendSpanId(id)}-${trace.sampled ? "01" : "00"}`;
  }
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
  return { id, sampled: (parseInt(flags, 16) & 1) === 1 };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
