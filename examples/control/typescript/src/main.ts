/** A stock Connect client over gRPC: whether an app is safe, what runs, and the next fill. */
import { readFileSync } from "node:fs";

import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { ComponentService } from "./gen/ingenium/control/v1/components_pb.js";
import { TradingService } from "./gen/ingenium/control/v1/trading_pb.js";
import { Topic, WatchService } from "./gen/ingenium/control/v1/watch_pb.js";

const access = JSON.parse(readFileSync(".ingenium/control.json", "utf8"));
const withToken: Interceptor = (next) => (request) => {
  request.header.set("authorization", `Bearer ${access.tokens.read}`);
  return next(request);
};
const transport = createGrpcTransport({ baseUrl: access.url, interceptors: [withToken] });

const { overview } = await createClient(TradingService, transport).getOverview({});
console.log(`${overview?.app}: ${overview?.summary}`);
for (const each of (await createClient(ComponentService, transport).listComponents({})).components) {
  console.log(`${each.role} ${each.name} is ${each.language}`);
}
const topics = [Topic.TRANSACTIONS];
for await (const { update } of createClient(WatchService, transport).watch({ topics })) {
  if (update.case === "transaction") {
    const fill = update.value;
    console.log(`${fill.side} ${fill.quantity} ${fill.symbol} at ${fill.price}`);
    break;
  }
}
