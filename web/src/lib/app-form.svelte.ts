import type { GetAppResponse } from "../gen/ingenium/control/v1/apps_pb.js";
import * as client from "./client.js";
import { live } from "./live.svelte.js";
import { Load } from "./load.svelte.js";

/** A form that starts something of an app which can be backtested. Made while a component starts. */
export class AppForm {
  chosen = $state("");
  texts = $state<Record<string, string>>({});
  busy = $state(false);
  problem = $state.raw<client.Problem>();
  readonly described = new Load<GetAppResponse>();
  readonly usable = $derived((live.apps ?? []).filter((each) => each.isBacktestable));
  readonly app = $derived(this.usable.some((each) => each.name === this.chosen) ? this.chosen : (this.usable.find((each) => each.name === live.app)?.name ?? this.usable[0]?.name ?? ""));
  readonly parameters = $derived(this.described.value?.app?.name === this.app ? this.described.value.parameters : []);

  constructor() {
    $effect(() => {
      const name = this.app;
      if (name) void this.described.ask((signal) => client.apps.getApp({ app: name }, { signal }));
    });
  }

  /** Take another app, whose parameters have other values. */
  choose(app: string): void {
    this.chosen = app;
    this.texts = {};
  }

  /** Send the form, once at a time, and show why it could not be sent. */
  async submit(event: SubmitEvent, send: () => Promise<void>): Promise<void> {
    event.preventDefault();
    this.busy = true;
    this.problem = undefined;
    try {
      await send();
    } catch (error) {
      this.problem = client.problemOf(error);
    } finally {
      this.busy = false;
    }
  }
}
