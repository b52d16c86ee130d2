import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";

import { BINARY_TYPE, JSON_TYPE } from "./settings.js";

// A later version may send fields that this program does not know.
const READ = { ignoreUnknownFields: true };
// The format has fields without presence even when they are empty.
const WRITE = { alwaysEmitImplicit: true };

/** Writes a message in the JSON of the wire format. */
export function write<S extends DescMessage>(schema: S, message: MessageShape<S>): string {
  return toJsonString(schema, message, WRITE);
}

/** Reads a message from the JSON of the wire format. */
export function read<S extends DescMessage>(schema: S, json: string): MessageShape<S> {
  return fromJsonString(schema, json, READ);
}

export function writeAs<S extends DescMessage>(
  contentType: string,
  schema: S,
  message: MessageShape<S>,
): string | Uint8Array {
  return contentType === BINARY_TYPE ? toBinary(schema, message) : write(schema, message);
}

/** Reads a message in the form that its headers say it has. */
export function readAs<S extends DescMessage>(
  contentTypes: string[],
  schema: S,
  payload: Uint8Array,
): MessageShape<S> {
  if (contentTypes.length > 1) {
    throw new Error("the header Content-Type is there twice");
  }
  const contentType = contentTypes[0] ?? JSON_TYPE;
  switch (contentType.split(";")[0]?.trim().toLowerCase()) {
    case JSON_TYPE:
      return read(schema, new TextDecoder().decode(payload));
    case BINARY_TYPE:
      return fromBinary(schema, payload);
    default:
      throw new Error(
        `the header Content-Type is '${contentType}': send ${JSON_TYPE} or ${BINARY_TYPE}`,
      );
  }
}
