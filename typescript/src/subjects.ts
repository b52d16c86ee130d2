import type { DescMessage } from "@bufbuild/protobuf";

export const DATA = "ingenium.ingestor.data.";
export const SIGNAL = "ingenium.strategy.signal";
export const PORTFOLIO = "ingenium.portfolio.*";
export const EXECUTION = "ingenium.executor.execution";
const LONGEST = 64;

/** What the reports of a replay count; what is of no kind is not counted. */
export type Kind = "data" | "signals" | "orders" | "executions";

/** What the ids of a type of event begin with, and the subject of all of them. */
interface Channel {
  prefix: string;
  pattern: string;
}

const CHANNELS: Record<string, Channel> = {
  "ingenium.v1.DataEvent": { prefix: "data", pattern: `${DATA}>` },
  "ingenium.v1.SignalEvent": { prefix: "signal", pattern: SIGNAL },
  "ingenium.v1.OrderEvent": { prefix: "order", pattern: "ingenium.portfolio.order" },
  "ingenium.v1.CancelEvent": { prefix: "cancel", pattern: "ingenium.portfolio.cancel" },
  "ingenium.v1.ReplaceEvent": { prefix: "order", pattern: "ingenium.portfolio.replace" },
  "ingenium.v1.ExecutionEvent": { prefix: "exec", pattern: EXECUTION },
  "ingenium.v1.DenialEvent": { prefix: "denial", pattern: "ingenium.risk.denial" },
  "ingenium.v1.ControlEvent": { prefix: "control", pattern: "ingenium.control.trading" },
  "ingenium.v1.DeadLetterEvent": { prefix: "dead", pattern: "ingenium.deadletter.>" },
};

export function channelOf(schema: DescMessage): Channel {
  const channel = CHANNELS[schema.typeName];
  if (!channel) {
    throw new Error(
      `${schema.typeName} is no event of the bus: use publishTo and onSubject with a subject`,
    );
  }
  return channel;
}

/** The subject of an event of the bus. */
export function subjectOf(schema: DescMessage, event: object): string {
  const { pattern } = channelOf(schema);
  const { symbol, component } = event as { symbol?: string; component?: string };
  if (pattern.startsWith(DATA)) {
    return dataSubject(symbol ?? "");
  }
  return pattern.endsWith(".>") ? pattern.slice(0, -1) + (component ?? "") : pattern;
}

export function kindOf(subject: string): Kind | undefined {
  if (subject.startsWith(DATA)) {
    return "data";
  } else if (subject === SIGNAL) {
    return "signals";
  } else if (subject.startsWith("ingenium.portfolio.")) {
    return "orders";
  }
  return subject === EXECUTION ? "executions" : undefined;
}

/** Returns the subject of a symbol's market data. */
export function dataSubject(symbol: string): string {
  checkSymbol(symbol);
  // Letter by letter, as Go does; a percent sign that would be read as an escaped letter is escaped.
  const lower = Array.from(symbol, (letter) => Array.from(letter.toLowerCase())[0]).join("");
  return DATA + lower.replace(/%(?=[0-9a-f]{2})/g, "%25").replaceAll(" ", "%20");
}

/** Throws an error for a symbol that cannot be part of a subject. */
export function checkSymbol(symbol: string): void {
  let problem = "";
  if (symbol === "") {
    problem = "is empty";
  } else if (Array.from(symbol).length > LONGEST) {
    problem = "has more than 64 characters";
  } else if (/[*>]/.test(symbol)) {
    problem = "holds * or >, which means other subjects to NATS";
  } else if (/[^\S ]|[\p{Cc}\p{Cs}\p{Cn}\p{Cf}]/u.test(symbol)) {
    problem = "holds what no subject can hold";
  } else if (symbol.trim() !== symbol) {
    problem = "begins or ends with a space";
  } else if (/^\.|\.$|\.\./.test(symbol)) {
    problem = "has a leading, trailing or doubled dot";
  }
  if (problem) {
    throw new Error(
      `symbol ${JSON.stringify(symbol)} ${problem}: use letters, digits and signs like ` +
        ". / ^ = _ : -",
    );
  }
}

/** Whether a pattern has a subject, or all subjects of another pattern. */
export function covers(pattern: string, subject: string): boolean {
  const patterns = pattern.split(".");
  const parts = subject.split(".");
  for (const [place, each] of patterns.entries()) {
    if (each === ">") {
      return parts.length > place;
    }
    const part = parts[place];
    if (part === undefined || part === ">" || (each !== "*" && each !== part)) {
      return false;
    }
  }
  return patterns.length === parts.length;
}
