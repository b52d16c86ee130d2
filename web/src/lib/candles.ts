import type { CandlestickData, HistogramData, UTCTimestamp, WhitespaceData } from "lightweight-charts";
import type { Bar } from "../gen/ingenium/control/v1/data_pb.js";
import { toPixels } from "./decimal.js";

/** A hole of up to so many bars is drawn as wide as it is; a longer one as wide as this. */
const WIDEST_GAP = 100;

type Candle = CandlestickData<UTCTimestamp> | WhitespaceData<UTCTimestamp>;

export const seconds = (ns: bigint): UTCTimestamp => Number(ns / 1_000_000_000n) as UTCTimestamp;

/** Bars for the chart, one for each second at most, with nothing where bars are missing. `step` is the usual distance in seconds. */
export function candlesOf(bars: readonly Pick<Bar, "time" | "open" | "high" | "low" | "close" | "volume">[]): { candles: Candle[]; volumes: HistogramData<UTCTimestamp>[]; step: number } {
  const steps = bars.slice(1).map((bar, index) => Number(bar.time - (bars[index]?.time ?? 0n)) / 1e9);
  steps.sort((a, b) => a - b);
  const step = steps[Math.floor(steps.length / 2)] ?? 0;
  const candles: Candle[] = [];
  const volumes: HistogramData<UTCTimestamp>[] = [];
  let last = -Infinity;
  for (const bar of bars) {
    const time = seconds(bar.time);
    if (time <= last) continue;
    if (step >= 1 && Number.isFinite(last) && time - last > step * 1.5)
      for (let each = 1; each <= Math.min(WIDEST_GAP, Math.round((time - last) / step) - 1); each += 1) candles.push({ time: Math.round(last + each * step) as UTCTimestamp });
    candles.push({ time, open: toPixels(bar.open), high: toPixels(bar.high), low: toPixels(bar.low), close: toPixels(bar.close) });
    volumes.push({ time, value: bar.volume === undefined ? 0 : toPixels(bar.volume) });
    last = time;
  }
  return { candles, volumes, step };
}
