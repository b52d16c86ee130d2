/**
 * The conformance runner on the TypeScript library, which reads and writes with protobuf-es.
 *
 * It is built in a copy of the library, as src/conformance.ts: docs/conformance.md.
 */
import { readFileSync, writeSync } from "node:fs";

import { toBinary } from "@bufbuild/protobuf";

import { read as readJson, write as writeJson } from "./codec.js";
import { file_ingenium_v1_events } from "./gen/ingenium/v1/events_pb.js";

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
    read = readJson(schema, new TextDecoder().decode(Buffer.from(payload, "base64")));
  } catch (error) {
    return { verdict: "refused", error: String(error) };
  }
  const accepted = { verdict: "accepted", binary: base64(toBinary(schema, read)) };
  try {
    const text = writeJson(schema, read);
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
