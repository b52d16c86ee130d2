import assert from "node:assert/strict";
import { test } from "node:test";

import { create, toBinary } from "@bufbuild/protobuf";
import type { Msg } from "@nats-io/transport-node";

import { barOf, formatDecimal, parseDecimal, parsePeriod, parseTime, formatTime } from "../bar.js";
import { Cause } from "../cause.js";
import { readAs, write } from "../codec.js";
import { choose, patternsOf, Signal } from "../component.js";
import {
  DataEventSchema,
  ExecutionEventSchema,
  OrderEventSchema,
  SignalEventSchema,
} from "../gen/ingenium/v1/events_pb.js";
import { makeId, randomId } from "../ids.js";
import { Pause } from "../pause.js";
import { checkSettings, settingsFrom } from "../settings.js";
import { covers, dataSubject } from "../subjects.js";
import { now, processSpanId, sendSpanId, type Span, traceId, Traces } from "../trace.js";

// The ids are those that ingenium.ids.make_id gives in Python.
test("ids are those of the Python SDK", () => {
  assert.equal(makeId("signal", "rsi", "data_1", "0"), "signal_1m2iPYBGUAWA0m057rxICiJwAqw");
  assert.equal(makeId("signal", "r\\si", "data_1", "0"), "signal_eEJzEHqagye5JVXykGJTcu0u6ho");
  assert.equal(makeId("signal", "r\u001fsi", "data_1", "0"), "signal_pC0GpIDnG6n83PjeQ9giroVsxWP");
  assert.notEqual(randomId("order"), randomId("order"));
});

// The table of docs/wire-format.md.
test("subject of data is that of the wire format", () => {
  for (const [symbol, part] of [
    ["BRK.B", "brk.b"], ["EUR/USD", "eur/usd"], ["^GSPC", "^gspc"], ["ES=F", "es=f"],
    ["BRK B", "brk%20b"], ["ES Z4", "es%20z4"], ["BRK%20B", "brk%2520b"],
  ] as const) {
    assert.equal(dataSubject(symbol), `ingenium.ingestor.data.${part}`);
  }
  for (const symbol of ["", " A", "A ", "A\tB", "A*", ">", ".A", "A..B", "A".repeat(65)]) {
    assert.throws(() => dataSubject(symbol), symbol);
  }
});

test("patterns cover as NATS does, and nothing is subscribed to twice", () => {
  for (const [pattern, subject, expected] of [
    ["a.b", "a.b", true], ["a.b", "a.c", false], ["a.b", "a.b.c", false], ["a.b.c", "a.b", false],
    ["a.*", "a.b", true], ["a.*", "a.b.c", false], ["a.>", "a.b.c", true], ["a.>", "a", false],
    ["a.*", "a.>", false], ["a.>", "a.*", true],
  ] as const) {
    assert.equal(covers(pattern, subject), expected, `${pattern} ${subject}`);
  }
  const aapl = "ingenium.ingestor.data.aapl";
  const patterns = patternsOf("executor", [aapl, "ingenium.portfolio.order"], []);
  assert.deepEqual(patterns, [aapl, "ingenium.portfolio.*"]);
  const all = patternsOf("portfolio", [], []);
  assert.deepEqual(all.sort(), [
    "ingenium.executor.execution", "ingenium.ingestor.data.>", "ingenium.strategy.signal",
  ]);
});

test("decimals are read with exponents and written without", () => {
  for (const [text, value] of [["185.25", 185.25], ["1e-05", 0.00001], ["1E+6", 1e6], ["-3", -3]] as const) {
    assert.equal(parseDecimal(text), value);
  }
  for (const text of ["", "NaN", "Infinity", "0x10", "1_000", " 1", "1,5", "1e999"]) {
    assert.throws(() => parseDecimal(text), text);
  }
  for (const [value, text] of [
    [0.00001, "0.00001"], [1.5e-7, "0.00000015"], [-2e-8, "-0.00000002"], [185.25, "185.25"],
    [1e21, "1000000000000000000000"], [1.25e21, "1250000000000000000000"], [0, "0"],
  ] as const) {
    assert.equal(formatDecimal(value), text);
  }
  assert.throws(() => formatDecimal(NaN));
});

test("bar of an event", () => {
  const bar = barOf(
    create(DataEventSchema, {
      symbol: "AAPL",
      timestamp: "2024-01-03T14:30:00.5+01:00",
      ohlc: { open: "1e2", close: "101.5", period: "1d" },
    }),
  );
  assert.deepEqual([bar.open, bar.high, bar.close, bar.periodSeconds], [100, NaN, 101.5, 86_400]);
  assert.equal(bar.time && formatTime(bar.time), "2024-01-03T13:30:00.5Z");
  assert.throws(() => barOf(create(DataEventSchema, { symbol: "AAPL" })), /Close of AAPL/);
});

test("lengths and times", () => {
  assert.equal(parsePeriod("5m"), 300);
  assert.equal(parsePeriod("250ms"), 0.25);
  for (const text of ["", "m", "0m", "-5m", "1mo", "what"]) {
    assert.equal(parsePeriod(text), undefined, text);
  }
  const read = (text: string): string | undefined => {
    const time = parseTime(text);
    return time && formatTime(time);
  };
  assert.equal(read("2024-01-03T14:30:00Z"), "2024-01-03T14:30:00Z");
  assert.equal(read("2024-01-03 14:30:00"), "2024-01-03T14:30:00Z");
  assert.equal(read("2024-01-03T14:30:00.120Z"), "2024-01-03T14:30:00.12Z");
  assert.equal(read("0001-01-01T00:00:00Z"), undefined);
  assert.equal(read("yesterday"), undefined);
});

test("case of a symbol counts where the sender says who it is", () => {
  assert.equal(choose(["AAPL"], "AAPL", "csv"), "AAPL");
  assert.equal(choose(["AAPL"], "aapl", "csv"), undefined);
  assert.equal(choose(["AAPL"], "aapl", ""), "AAPL");
  assert.equal(choose(["AAPL"], "IBM", ""), undefined);
});

test("cause gives id and time", () => {
  const cause = new Cause();
  const timestamp = "2024-01-03T14:30:00Z";
  const send = (id?: string): { id?: string; time?: string } => {
    const signal = create(SignalEventSchema, id === undefined ? {} : { id });
    cause.complete("rsi", SignalEventSchema, signal);
    return { id: signal.id ?? "", time: signal.timestamp ? formatTime(signal.timestamp) : "" };
  };
  const message = { data: new Uint8Array() };
  cause.begin(message, create(DataEventSchema, { id: "data_1", timestamp }));
  assert.deepEqual(send(), { id: "signal_1m2iPYBGUAWA0m057rxICiJwAqw", time: timestamp });
  cause.begin(message, create(DataEventSchema, { id: "data_1", timestamp }));
  assert.notEqual(send().id, "signal_1m2iPYBGUAWA0m057rxICiJwAqw"); // a second handler of the message goes on counting
  const other = { data: new TextEncoder().encode("{}") };
  cause.begin(other, create(DataEventSchema, { timestamp }));
  assert.equal(send().id, makeId("signal", "rsi", "cause_446OyRgkD2u7526qVhsSscZL9Kf", "0"));
  assert.equal(send("signal_mine").id, "signal_mine");
});

test("messages are read in the form that they say they have", () => {
  const event = create(SignalEventSchema, { symbol: "AAPL", signal: Signal.Long });
  const json = new TextEncoder().encode(write(SignalEventSchema, event));
  assert.deepEqual(readAs([], SignalEventSchema, json), event);
  assert.deepEqual(readAs(["Application/JSON; a=b"], SignalEventSchema, json), event);
  const binary = toBinary(SignalEventSchema, event);
  assert.deepEqual(readAs(["application/protobuf"], SignalEventSchema, binary), event);
  for (const types of [["text/plain"], ["application/json", "application/protobuf"]]) {
    assert.throws(() => readAs(types, SignalEventSchema, json));
  }
});

test("passwords are not sent in the clear", () => {
  const check = (environment: Record<string, string>): void =>
    checkSettings(settingsFrom("rsi", environment));
  for (const server of ["nats://127.0.0.1:4222", "localhost", "tls://nats.example.com"]) {
    check({ NATS_SERVER: server });
  }
  for (const server of ["nats://u:secret@nats.example.com", "127.0.0.1,other:4222"]) {
    assert.throws(() => check({ NATS_SERVER: server }), /^((?!secret).)*another machine/s);
  }
  check({ NATS_SERVER: "far:4222", INGENIUM_ALLOW_PLAINTEXT: "1" });
  assert.throws(() => check({ INGENIUM_CONTENT_TYPE: "text/plain" }));
});

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

// By sha256sum of tracedata_1, senddata_1 and processdata_1/rsi.
test("ids of traces and spans are those of the Python SDK", () => {
  assert.equal(traceId("data_1"), "6ba620671ab28e8cd89e939a87019563");
  assert.equal(sendSpanId("data_1"), "cf4e0bbc18bc0096");
  assert.equal(processSpanId("data_1", "rsi"), "efd9d9ef622ef158");
});

const SIGNALS = "ingenium.strategy.signal";
const MAKER = { name: "ex", role: "executor" };

test("what is sent is in the trace of its cause, and an execution in that of its order", () => {
  const traces = new Traces();
  const signal = create(SignalEventSchema);
  const fill = create(ExecutionEventSchema, { orderId: "order_1" });
  const end = (): void => traces.end(MAKER, "ingenium.portfolio.order", "orders", now());
  assert.equal(traces.headerOf(signal, "data_1", SIGNALS), undefined);
  const header = `00-${TRACE}-${SPAN}-01`;
  traces.begin(header, create(OrderEventSchema, { id: "order_1" }), "order_1");
  assert.equal(traces.headerOf(signal, "data_1", SIGNALS), `00-${TRACE}-cf4e0bbc18bc0096-01`);
  end();
  for (const odd of ["", "nonsense", `ff-${TRACE}-${SPAN}-01`, `${header}-more`]) {
    traces.begin(odd, create(DataEventSchema), "data_9");
    assert.equal(traces.headerOf(signal, "data_1", SIGNALS), undefined);
  }
  const other = TRACE.replace("4", "5");
  traces.begin(`00-${other}-${SPAN}-00`, create(DataEventSchema), "data_9");
  assert.equal(traces.headerOf(signal, "data_1", SIGNALS), `00-${other}-cf4e0bbc18bc0096-00`);
  assert.equal(traces.headerOf(fill, "data_1", SIGNALS), `00-${TRACE}-cf4e0bbc18bc0096-01`);
});

test("span of an execution has the handling of its order as parent and a link to its cause", () => {
  const spans: Span[] = [];
  const traces = new Traces();
  traces.export = (span) => spans.push(span);
  traces.begin(`00-${TRACE}-${SPAN}-01`, create(OrderEventSchema, { id: "order_1" }), "order_1");
  const failure = new Error("no market");
  traces.end(MAKER, "ingenium.portfolio.order", "orders", now(), failure);
  // A bar of another trace fills it.
  traces.begin("", create(DataEventSchema), "data_9");
  const fill = create(ExecutionEventSchema, { orderId: "order_1", symbol: "AAPL" });
  traces.headerOf(fill, "exec_1", "ingenium.executor.execution");
  traces.end(MAKER, "ingenium.ingestor.data.aapl", "data", now());
  const [order, bar, execution, ...more] = spans;
  assert.ok(order && bar && execution && more.length === 0);
  assert.deepEqual(
    [order.traceId, order.spanId, order.parentId, order.error],
    [TRACE, processSpanId("order_1", "ex"), SPAN, failure],
  );
  assert.equal(bar.name, "process ingenium.ingestor.data.{symbol}");
  assert.deepEqual([bar.traceId, bar.parentId], [traceId("data_9"), sendSpanId("data_9")]);
  assert.deepEqual(
    [execution.traceId, execution.spanId, execution.parentId, execution.link],
    [TRACE, sendSpanId("exec_1"), order.spanId, { traceId: bar.traceId, spanId: bar.spanId }],
  );
  assert.equal(execution.attributes["ingenium.order.id"], "order_1");
  assert.equal(execution.attributes["ingenium.symbol"], "AAPL");
});

test("quiet market data and traces that are not sampled have no spans", () => {
  const traces = new Traces();
  traces.export = (): never => assert.fail("there is a span");
  traces.begin("", create(DataEventSchema), "data_1");
  traces.end(MAKER, "ingenium.ingestor.data.aapl", "data", now());
  traces.begin(`00-${TRACE}-${SPAN}-00`, create(DataEventSchema), "data_2");
  traces.end(MAKER, "ingenium.ingestor.data.aapl", "data", now(), new Error("broken"));
});

test("paused component holds back what is not market data, in order", () => {
  const pause = new Pause();
  const order = {} as Msg;
  assert.equal(pause.holds(order, "orders"), false);
  pause.isOn = true;
  assert.equal(pause.holds({} as Msg, "data"), true);
  assert.equal(pause.holds(order, "orders"), true);
  assert.deepEqual([pause.waiting, pause.next()], [1, undefined]);
  pause.isOn = false;
  assert.equal(pause.next(), order);
  assert.equal(pause.next(), undefined);
});
