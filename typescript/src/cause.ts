import type { DescMessage } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow, TimestampSchema } from "@bufbuild/protobuf/wkt";

import { formatTime, parseTime } from "./bar.js";
import { type DataEvent, DataEventSchema } from "./gen/ingenium/v1/events_pb.js";
import { makeId, randomId } from "./ids.js";
import { channelOf } from "./subjects.js";

interface Stamped {
  id?: string;
  timestamp?: string | Timestamp;
}

/** The event that is being handled: ids and times of what is sent follow from it. */
export class Cause {
  private message: object | undefined;
  private id = "";
  private time: Timestamp | undefined;
  private sent = 0;
  private nameless = 0;

  /**
   * Begins with an event; another handler of the same message goes on with it.
   *
   * @returns the id that it begins with; undefined where it goes on
   */
  begin(message: { data: Uint8Array }, event: object): string | undefined {
    if (this.message === message) {
      return undefined;
    }
    this.end();
    const { id, timestamp } = event as Stamped;
    this.message = message;
    this.time = timeOf(timestamp);
    this.id = typeof id === "string" ? id : "";
    if (this.id === "") {
      // Two events without an id may be equal to the byte, and are still two.
      this.nameless++;
      const at = this.time ? formatTime(this.time) : "";
      const text = new TextDecoder().decode(message.data);
      this.id = makeId("cause", text, at, String(this.nameless));
    }
    return this.id;
  }

  end(): void {
    this.message = undefined;
    this.id = "";
    this.time = undefined;
    this.sent = 0;
  }

  /** Fills in id and time where they are empty. */
  complete(component: string, schema: DescMessage, event: object): void {
    const stamped = event as Stamped;
    const isData = schema.typeName === DataEventSchema.typeName;
    const at = this.time ?? timestampNow();
    if (!stamped.timestamp) {
      stamped.timestamp = isData ? formatTime(at) : at;
    }
    if (stamped.id) {
      return;
    }
    const { prefix } = channelOf(schema);
    if (this.id !== "") {
      stamped.id = makeId(prefix, component, this.id, String(this.sent++));
    } else if (isData) {
      // The same bar that is sent again is the same event.
      const { symbol, timestamp, ohlc } = event as DataEvent;
      const cause = [component, symbol, timestamp, ohlc?.period ?? "", ohlc?.close ?? ""];
      stamped.id = makeId(prefix, ...cause);
    } else {
      stamped.id = randomId(prefix);
    }
  }
}

function timeOf(timestamp: unknown): Timestamp | undefined {
  if (typeof timestamp === "string") {
    return parseTime(timestamp);
  }
  return isMessage(timestamp, TimestampSchema) ? timestamp : undefined;
}
