/** An RSI strategy on the TypeScript library of this repository, a full member of a replay. */
import { parseArgs } from "node:util";

import { Component, Signal } from "@markwinter/ingenium";

import { Rsi } from "./rsi.js";

const { values } = parseArgs({
  options: {
    symbols: { type: "string", default: "" },
    period: { type: "string", default: "2" },
    "buy-below": { type: "string", default: "5" },
    "sell-above": { type: "string", default: "95" },
  },
});
if (values.symbols === "") {
  console.error("no symbols: pass --symbols AAPL,IBM");
  process.exit(2);
}
const symbols = values.symbols.split(",");
const buyBelow = Number(values["buy-below"]);
const sellAbove = Number(values["sell-above"]);
const indexes = new Map(symbols.map((symbol) => [symbol, new Rsi(Number(values.period))]));

const component = await Component.connect("strategy", "strategy");
component.onBar(symbols, (bar) => {
  const value = indexes.get(bar.symbol)?.update(bar.close) ?? NaN;
  if (value < buyBelow) {
    component.signal(bar.symbol, Signal.Long);
  } else if (value > sellAbove) {
    component.signal(bar.symbol, Signal.Short);
  }
});
const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = process.env;
// Without a collector, nothing of OpenTelemetry is loaded.
const hasCollector = OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
const endSpans = hasCollector ? (await import("./traces.js")).exportSpans(component) : undefined;
try {
  await component.runUntilSignal();
} finally {
  await endSpans?.();
}
