import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AppService } from "../gen/ingenium/control/v1/apps_pb.js";
import { BacktestService } from "../gen/ingenium/control/v1/backtests_pb.js";
import { ComponentService } from "../gen/ingenium/control/v1/components_pb.js";
import { DataService } from "../gen/ingenium/control/v1/data_pb.js";
import { EventService } from "../gen/ingenium/control/v1/events_pb.js";
import { ParityService } from "../gen/ingenium/control/v1/parity_pb.js";
import { PortfolioService } from "../gen/ingenium/control/v1/portfolio_pb.js";
import { SessionService } from "../gen/ingenium/control/v1/session_pb.js";
import { SweepService } from "../gen/ingenium/control/v1/sweeps_pb.js";
import { TradingService } from "../gen/ingenium/control/v1/trading_pb.js";
import { TransactionService } from "../gen/ingenium/control/v1/transactions_pb.js";
import { WatchService } from "../gen/ingenium/control/v1/watch_pb.js";

// A header that no form of another site can send: the server refuses whatever comes without it.
const ours: Interceptor = (next) => (request) => {
  request.header.set("X-Ingenium", "1");
  return next(request);
};

const transport = createConnectTransport({
  baseUrl: location.origin,
  interceptors: [ours],
  fetch: (input, init) => fetch(input, { ...init, credentials: "same-origin" }),
});

export const apps = createClient(AppService, transport);
export const backtests = createClient(BacktestService, transport);
export const components = createClient(ComponentService, transport);
export const data = createClient(DataService, transport);
export const events = createClient(EventService, transport);
export const parity = createClient(ParityService, transport);
export const portfolios = createClient(PortfolioService, transport);
export const sessions = createClient(SessionService, transport);
export const sweeps = createClient(SweepService, transport);
export const trading = createClient(TradingService, transport);
export const transactions = createClient(TransactionService, transport);
export const watching = createClient(WatchService, transport);

export interface Problem {
  readonly code: string;
  readonly text: string;
  /** The server works, but this answer needs something that the user can bring about. */
  readonly isMissing: boolean;
  readonly isSignedOut: boolean;
}

export function problemOf(error: unknown): Problem {
  const failure = ConnectError.from(error);
  return {
    code: Code[failure.code].replace(/(?!^)([A-Z])/g, " $1").toLowerCase(),
    text: failure.rawMessage || "no text was given",
    isMissing:
      failure.code === Code.FailedPrecondition ||
      failure.code === Code.NotFound ||
      failure.code === Code.Unimplemented,
    isSignedOut: failure.code === Code.Unauthenticated,
  };
}

export const requestId = (): string => crypto.randomUUID();
