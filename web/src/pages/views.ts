import type { Component } from "svelte";
import About from "./About.svelte";
import Backtests from "./Backtests.svelte";
import Components from "./Components.svelte";
import Data from "./Data.svelte";
import Events from "./Events.svelte";
import OrderStory from "./OrderStory.svelte";
import Overview from "./Overview.svelte";
import Parity from "./Parity.svelte";
import Portfolio from "./Portfolio.svelte";
import Sweeps from "./Sweeps.svelte";
import Transactions from "./Transactions.svelte";

/** The view of each page of `lib/pages.ts`. */
export const VIEWS: Record<string, Component> = {
  overview: Overview,
  components: Components,
  portfolio: Portfolio,
  transactions: Transactions,
  orders: OrderStory,
  backtests: Backtests,
  sweeps: Sweeps,
  parity: Parity,
  data: Data,
  events: Events,
  about: About,
};
