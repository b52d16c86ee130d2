// Holds AsyncAPI documents against the official parser: the JSON Schema of their version, and its rules
// on references and operations.
//
//	node validate.mjs FILE...
//
// Prints a line of JSON for each: what is wrong, and what the document holds.
import { readFileSync } from "node:fs";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const parser = new Parser();
for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(file, "utf8"));
  const problems = diagnostics
    .filter(({ severity }) => severity <= DiagnosticSeverity.Warning)
    .map(({ code, message, path }) => ({ code, message, path: path.join(".") }));
  const found = document && {
    version: document.version(),
    channels: document.channels().length,
    operations: document.operations().length,
    messages: document.components().messages().length,
  };
  console.log(JSON.stringify({ problems, found: found ?? null }));
}
