/**
 * What the server tells of by itself: one Watch stream for the whole tab.
 *
 * After a break it goes on from the last answer, and says what was missed. An answer that replaces
 * the state of everything is taken at its end, so that nothing flickers while it comes.
 */
import { Environment, type App } from "../gen/ingenium/control/v1/apps_pb.js";
import type { Backtest } from "../gen/ingenium/control/v1/backtests_pb.js";
import type { Component } from "../gen/ingenium/control/v1/components_pb.js";
import type { BusEvent } from "../gen/ingenium/control/v1/events_pb.js";
import type { Portfolio } from "../gen/ingenium/control/v1/portfolio_pb.js";
import { Role } from "../gen/ingenium/control/v1/session_pb.js";
import type { Sweep } from "../gen/ingenium/control/v1/sweeps_pb.js";
import type { Overview, TradingStateReport } from "../gen/ingenium/control/v1/trading_pb.js";
import type { Denial, Transaction } from "../gen/ingenium/control/v1/transactions_pb.js";
import { Topic, type WatchResponse } from "../gen/ingenium/control/v1/watch_pb.js";
import * as client from "./client.js";
import { setServerTime } from "./clock.svelte.js";
import { retryDelay } from "./retry.js";
import { ofNanoseconds } from "./times.js";

/** A heartbeat comes each 5 seconds: after this long without anything, the connection is given up. */
const SILENCE_MS = 12_000;
/** The client library keeps a little of each answer for as long as its stream is open: after so many, the stream is opened again where it was. */
const ANSWERS_OF_STREAM = 5_000;
const KEPT_ROWS = 500;
const KEPT_EVENTS = 2_000;
const KEPT_POINTS = 4_000;

const STATE_TOPICS = [
  Topic.OVERVIEW,
  Topic.COMPONENTS,
  Topic.TRADING,
  Topic.PORTFOLIO,
  Topic.TRANSACTIONS,
  Topic.RUNS,
];

export type Happening =
  | { readonly kind: "fill"; readonly time: bigint; readonly id: string; readonly fill: Transaction }
  | { readonly kind: "denial"; readonly time: bigint; readonly id: string; readonly denial: Denial };

export interface EventFilter {
  type: string;
  subject: string;
  symbol: string;
}

class Live {
  status = $state<"connecting" | "live" | "lost" | "signed out">("connecting");
  lostSince = $state<number>();
  lostWhy = $state("");
  /** What to say after a reconnection. */
  caughtUp = $state("");
  /** Whether the app's own bus answers the server. */
  isAppConnected = $state(true);
  appError = $state("");
  observed = $state<number>();

  user = $state("");
  role = $state<Role>(Role.UNSPECIFIED);
  /** Counts starts of the server and breaks: whoever loaded lists loads them again. */
  generation = $state(0);

  apps = $state.raw<readonly App[]>();
  app = $state("");

  overview = $state.raw<Overview>();
  trading = $state.raw<TradingStateReport>();
  portfolio = $state.raw<Portfolio>();
  components = $state.raw<readonly Component[]>();
  backtests = $state.raw<ReadonlyMap<string, Backtest>>(new Map());
  sweeps = $state.raw<ReadonlyMap<string, Sweep>>(new Map());
  happenings = $state.raw<readonly Happening[]>([]);
  events = $state.raw<readonly BusEvent[]>([]);
  /** Number of fills since the page was opened: a table that counts from it knows what is new. */
  fills = $state(0);
  equity = $state.raw<readonly { time: number; equity: string }[]>([]);

  #token = "";
  #filter: EventFilter | undefined;
  #stream: AbortController | undefined;
  #wake: (() => void) | undefined;
  #started = false;
  #instance = "";
  #fresh = new Map<string, Component>();
  #isFilling = true;
  #missed = 0n;
  #pending: BusEvent[] = [];
  #flushing = false;
  #happened: Happening[] = [];
  #telling = false;

  get current(): App | undefined {
    return this.apps?.find((each) => each.name === this.app);
  }

  get environment(): Environment {
    return this.current?.environment ?? Environment.UNSPECIFIED;
  }

  get isFresh(): boolean {
    return this.status === "live" && this.isAppConnected;
  }

  get mayOperate(): boolean {
    return this.role >= Role.OPERATE;
  }

  get mayTrade(): boolean {
    return this.role >= Role.TRADE;
  }

  start(app: string): void {
    if (this.#started) return;
    this.#started = true;
    this.app = app;
    void this.#run();
  }

  /** Look at another app. */
  choose(app: string): void {
    if (app === this.app || app === "") return;
    this.app = app;
    this.#forget();
    this.reopen();
  }

  /** Also watch events, or no longer. */
  watchEvents(filter: EventFilter | undefined): void {
    if (JSON.stringify(filter) === JSON.stringify(this.#filter)) return;
    this.#filter = filter;
    this.events = [];
    this.#pending = [];
    this.reopen();
  }

  /** Open the stream again at once, as after a change of what is watched, or when the user says so. */
  reopen(): void {
    this.#stream?.abort("reopened");
    this.#wake?.();
  }

  #forget(): void {
    this.#token = "";
    this.overview = undefined;
    this.trading = undefined;
    this.portfolio = undefined;
    this.components = undefined;
    this.happenings = [];
    this.#happened = [];
    this.events = [];
    this.equity = [];
    this.generation += 1;
  }

  async #run(): Promise<void> {
    for (let attempt = 0; ; ) {
      const stream = new AbortController();
      this.#stream = stream;
      this.#isFilling = true;
      try {
        await this.#greet(stream.signal);
        if (await this.#watch(stream)) {
          attempt = 0;
          continue;
        }
        this.#lose("the server ended the stream");
      } catch (error) {
        if (stream.signal.reason === "reopened") {
          attempt = 0;
          continue;
        }
        const problem = client.problemOf(error);
        if (problem.isSignedOut) this.status = "signed out";
        else this.#lose(stream.signal.reason === "silent" ? "nothing came for 12 s" : problem.text);
      }
      attempt = this.#isFilling ? attempt + 1 : 0;
      await this.#wait(retryDelay(attempt));
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #lose(why: string): void {
    if (this.status !== "lost") this.lostSince = Date.now();
    this.status = "lost";
    this.lostWhy = why;
    this.caughtUp = "";
  }

  async #greet(signal: AbortSignal): Promise<void> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(SILENCE_MS)]);
    const session = await client.sessions.getSession({}, { signal: limited });
    setServerTime(ofNanoseconds(session.serverTime) ?? Date.now());
    this.user = session.user;
    this.role = session.role;
    const isOther = this.#instance !== "" && this.#instance !== session.serverInstance;
    this.#instance = session.serverInstance;
    if (this.apps === undefined || isOther) {
      const answer = await client.apps.listApps({}, { signal: limited });
      this.apps = answer.apps;
      const first = answer.apps.find((each) => each.isLive) ?? answer.apps[0];
      if (!answer.apps.some((each) => each.name === this.app)) this.app = first?.name ?? "";
    }
    if (isOther) this.generation += 1;
  }

  /** Take answers; true when enough have come for one stream, false when the server ends it. */
  async #watch(stream: AbortController): Promise<boolean> {
    this.#fresh = new Map();
    this.#isFilling = true;
    this.#missed = 0n;
    let count = 0;
    let timer = setTimeout(() => stream.abort("silent"), SILENCE_MS);
    try {
      const answers = client.watching.watch(
        {
          app: this.app,
          topics: this.#filter ? [...STATE_TOPICS, Topic.EVENTS] : STATE_TOPICS,
          resumeToken: this.#token,
          ...(this.#filter ? { eventFilter: this.#filter } : {}),
        },
        { signal: stream.signal },
      );
      for await (const answer of answers) {
        clearTimeout(timer);
        timer = setTimeout(() => stream.abort("silent"), SILENCE_MS);
        this.#take(answer);
        count += 1;
        if (count >= ANSWERS_OF_STREAM && !this.#isFilling) return true;
      }
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  #take(answer: WatchResponse): void {
    if (answer.resumeToken) this.#token = answer.resumeToken;
    const at = ofNanoseconds(answer.serverTime);
    if (at !== undefined) setServerTime(at);
    const update = answer.update;
    switch (update.case) {
      case "heartbeat":
        this.isAppConnected = update.value.isConnected;
        this.appError = update.value.error;
        if (update.value.observedTime !== undefined) this.observed = ofNanoseconds(update.value.observedTime);
        break;
      case "ready":
        this.#ready();
        break;
      case "missed":
        if (update.value.count === undefined) this.generation += 1;
        else this.#missed += update.value.count;
        if (!this.#isFilling) {
          this.caughtUp = `${update.value.count ?? "some"} updates were left out: ${update.value.reason}`;
          this.generation += 1;
        }
        break;
      case "overview":
        this.overview = update.value;
        this.observed = ofNanoseconds(update.value.observedTime);
        break;
      case "component":
        this.#component(update.value);
        break;
      case "removedComponent": {
        const key = keyOf(update.value);
        this.#fresh.delete(key);
        if (!this.#isFilling) this.#publish();
        break;
      }
      case "trading":
        this.trading = update.value;
        break;
      case "portfolio":
        this.portfolio = update.value;
        this.#point(update.value);
        break;
      case "transaction":
        this.#happen({ kind: "fill", time: update.value.time, id: update.value.id, fill: update.value });
        break;
      case "denial":
        this.#happen({ kind: "denial", time: update.value.time, id: update.value.id, denial: update.value });
        break;
      case "event":
        this.#event(update.value);
        break;
      case "backtest":
        this.backtests = new Map(this.backtests).set(update.value.id, update.value);
        break;
      case "sweep":
        this.sweeps = new Map(this.sweeps).set(update.value.id, update.value);
        break;
      case undefined:
        break;
    }
  }

  #ready(): void {
    this.#isFilling = false;
    this.#publish();
    if (this.status === "lost" && this.lostSince !== undefined) {
      const seconds = Math.round((Date.now() - this.lostSince) / 1000);
      const missed = this.#missed > 0n ? `, and ${this.#missed} updates were left out` : ", and nothing was missed";
      this.caughtUp = `Connected again after ${seconds} s${missed}.`;
      this.generation += 1;
      setTimeout(() => (this.caughtUp = ""), 8_000);
    }
    this.status = "live";
    this.lostSince = undefined;
    this.lostWhy = "";
  }

  #component(component: Component): void {
    this.#fresh.set(keyOf(component), component);
    if (!this.#isFilling) this.#publish();
  }

  #publish(): void {
    this.components = [...this.#fresh.values()].sort(byWay);
  }

  /** Fills may come by the hundred too. */
  #happen(happening: Happening): void {
    this.#happened.push(happening);
    if (this.#telling) return;
    this.#telling = true;
    setTimeout(() => {
      this.#telling = false;
      const known = new Set(this.happenings.map((each) => each.kind + each.id));
      const fresh = this.#happened.filter((each) => !known.has(each.kind + each.id) && known.add(each.kind + each.id));
      this.#happened = [];
      if (fresh.length === 0) return;
      this.fills += fresh.filter((each) => each.kind === "fill").length;
      this.happenings = [...fresh, ...this.happenings].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0)).slice(0, KEPT_ROWS);
    }, 200);
  }

  /** Events may come by the hundred: they are shown four times in a second. */
  #event(event: BusEvent): void {
    this.#pending.push(event);
    if (this.#pending.length > KEPT_EVENTS) this.#pending.shift();
    if (this.#flushing) return;
    this.#flushing = true;
    setTimeout(() => {
      this.#flushing = false;
      this.events = [...this.#pending.reverse(), ...this.events].slice(0, KEPT_EVENTS);
      this.#pending = [];
    }, 250);
  }

  #point(portfolio: Portfolio): void {
    const time = ofNanoseconds(portfolio.observedTime);
    if (portfolio.equity === undefined || time === undefined) return;
    const last = this.equity.at(-1);
    if (last && time - last.time < 1_000) return;
    this.equity = [...this.equity.slice(-KEPT_POINTS + 1), { time, equity: portfolio.equity }];
  }
}

const WAY = ["ingestor", "strategy", "portfolio", "executor", "recorder"];
const rank = (role: string): number => (WAY.includes(role) ? WAY.indexOf(role) : WAY.length);
const keyOf = (component: { name: string; instance: string }): string => `${component.name} ${component.instance}`;
const byWay = (a: Component, b: Component): number =>
  rank(a.role) - rank(b.role) || a.name.localeCompare(b.name) || a.instance.localeCompare(b.instance);

export const live = new Live();
