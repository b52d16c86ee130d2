/**
 * The conformance runner on the types that `buf generate` makes, and on protobuf-es as it is.
 *
 * It is built in a copy of examples/typescript, as src/conformance.ts: docs/conformance.md.
 */
import { readFileSync, writeSync } from "node:fs";

import { fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";

import { file_ingenium_v1_events } from "./gen/ingenium/v1/events_pb.js";

const READ = { ignoreUnknownFields: true };
const WRITE = { alwaysEmitImplicit: true };

interface Question {
  id: string;
  event: string;
  payload: string;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

function answer({ event, payload }: Question): object {
  const schema = file_ingenium_v1_events.messages.find((message) => message.name === event);
  if (!schema) {
    return { verdict: "unknown" };
  }
  let read;
  try {
    // As the NATS client does it for message.string().
    read = fromJsonString(schema, new TextDecoder().decode(Buffer.from(payload, "base64")), READ);
  } catch (error) {
    return { verdict: "refused", error: String(error) };
  }
  const accepted = { verdict: "accepted", binary: base64(toBinary(schema, read)) };
  try {
    const text = toJsonString(schema, read, WRITE);
    return { ...accepted, json: base64(new TextEncoder().encode(text)) };
  } catch (error) {
    return { ...accepted, error: String(error) };
  }
}

/** Writes all of it: to a pipe that is full, one call writes a part or nothing. */
function write(text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
        throw error;
      }
    }
  }
}

for (const line of readFileSync(0, "utf8").split("\n")) {
  if (line !== "") {
    const question = JSON.parse(line) as Question;
    write(JSON.stringify({ id: question.id, ...answer(question) }) + "\n");
  }
}
