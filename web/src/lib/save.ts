/** Write what comes in parts as a file, where the browser keeps downloads. */
export async function save(parts: AsyncIterable<{ data: Uint8Array; fileName: string }>, name: string): Promise<void> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let file = name;
  for await (const part of parts) {
    if (part.fileName) file = part.fileName;
    pieces.push(new Uint8Array(part.data));
  }
  const url = URL.createObjectURL(new Blob(pieces));
  Object.assign(document.createElement("a"), { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
