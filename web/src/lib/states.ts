import { RunState, TradingState } from "../gen/ingenium/control/v1/common_pb.js";
import { Liveness } from "../gen/ingenium/control/v1/components_pb.js";

export type Tone = "ok" | "warning" | "danger" | "neutral" | "info";

interface Shown {
  readonly label: string;
  readonly tone: Tone;
}

export const STATES: Record<TradingState, Shown> = {
  [TradingState.UNSPECIFIED]: { label: "State unknown", tone: "warning" },
  [TradingState.ACTIVE]: { label: "Active", tone: "ok" },
  [TradingState.REDUCING]: { label: "Reducing", tone: "warning" },
  [TradingState.HALTED]: { label: "Halted", tone: "danger" },
  [TradingState.NOT_RUNNING]: { label: "Not running", tone: "neutral" },
};

export const LIVES: Record<Liveness, Shown> = {
  [Liveness.UNSPECIFIED]: { label: "unknown", tone: "neutral" },
  [Liveness.ALIVE]: { label: "alive", tone: "ok" },
  [Liveness.SILENT]: { label: "silent", tone: "warning" },
  [Liveness.DEAD]: { label: "dead", tone: "danger" },
  [Liveness.STOPPED]: { label: "stopped", tone: "neutral" },
  [Liveness.NOT_RUNNING]: { label: "not running", tone: "neutral" },
  [Liveness.UNKNOWN]: { label: "unknown", tone: "neutral" },
};

export const RUNS: Record<RunState, Shown> = {
  [RunState.UNSPECIFIED]: { label: "unknown", tone: "neutral" },
  [RunState.QUEUED]: { label: "queued", tone: "neutral" },
  [RunState.RUNNING]: { label: "running", tone: "info" },
  [RunState.DONE]: { label: "done", tone: "ok" },
  [RunState.FAILED]: { label: "failed", tone: "danger" },
  [RunState.CANCELED]: { label: "canceled", tone: "neutral" },
};
