/**
 * Components of Ingenium apps in TypeScript: a strategy, or any other part that subscribes to the bus
 * and publishes on it.
 */
export { type Bar, barOf, formatDecimal, parseDecimal, parsePeriod } from "./bar.js";
export { read, write } from "./codec.js";
export { Component, type Handler, type Role, runStrategy, Signal } from "./component.js";
export * from "./gen/ingenium/v1/events_pb.js";
export { makeId } from "./ids.js";
export { type Settings, settingsFrom } from "./settings.js";
export { checkSymbol, dataSubject } from "./subjects.js";
export { processSpanId, sendSpanId, type Span, traceId } from "./trace.js";
