import type { IconName } from "../parts/icons.js";

export interface Page {
  readonly id: string;
  readonly label: string;
  readonly icon: IconName;
  /** After `g`. */
  readonly key: string;
  /** In the bottom bar of a phone. */
  readonly onPhone?: true;
}

export const PAGES: readonly Page[] = [
  { id: "overview", label: "Overview", icon: "overview", key: "o", onPhone: true },
  { id: "components", label: "Components", icon: "components", key: "c", onPhone: true },
  { id: "portfolio", label: "Portfolio", icon: "portfolio", key: "p", onPhone: true },
  { id: "transactions", label: "Transactions", icon: "transactions", key: "t", onPhone: true },
  { id: "orders", label: "Order story", icon: "story", key: "s" },
  { id: "backtests", label: "Backtests", icon: "backtests", key: "b" },
  { id: "sweeps", label: "Sweeps", icon: "sweeps", key: "w" },
  { id: "parity", label: "Parity", icon: "parity", key: "y" },
  { id: "data", label: "Data", icon: "data", key: "d" },
  { id: "events", label: "Events", icon: "events", key: "e" },
  { id: "about", label: "About", icon: "about", key: "a" },
];
