import type { Transaction } from "../gen/ingenium/control/v1/transactions_pb.js";
import * as client from "./client.js";
import { toPixels } from "./decimal.js";
import { live } from "./live.svelte.js";
import { Load } from "./load.svelte.js";

export interface FillMark {
  readonly time: number;
  readonly value: number;
  readonly side: string;
  readonly id: string;
}

interface Point {
  readonly time: number;
  readonly equity: string;
}

/** More would cover the line. */
const MOST = 400;

/** Fills as marks on a line of equity: those recorded in the range, and those that come. Made while a component starts. */
export class FillMarks {
  readonly #past = new Load<readonly Transaction[]>();

  /** Args: since: first time in nanoseconds since 1970; undefined for all. */
  constructor(since: () => bigint | undefined) {
    $effect(() => {
      void live.generation;
      const app = live.app;
      const sinceTime = since();
      if (!app) return;
      const filter = sinceTime === undefined ? { app } : { app, sinceTime };
      void this.#past.ask(async (signal) => (await client.transactions.listTransactions({ filter, pageSize: MOST }, { signal })).transactions);
    });
  }

  on(points: readonly Point[]): FillMark[] {
    const fills = new Map<string, Transaction>();
    for (const fill of this.#past.value ?? []) fills.set(fill.id, fill);
    for (const each of live.happenings) if (each.kind === "fill") fills.set(each.id, each.fill);
    const marks: FillMark[] = [];
    let at = points.length - 1;
    for (const fill of [...fills.values()].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0)).slice(0, MOST)) {
      const time = Number(fill.time / 1_000_000n) / 1000;
      while (at >= 0 && (points[at] as Point).time > time) at -= 1;
      if (at < 0) break;
      marks.push({ time, value: toPixels((points[at] as Point).equity), side: fill.side, id: fill.orderId });
    }
    return marks;
  }
}
