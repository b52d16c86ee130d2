"""The conformance runners in Python: docs/conformance.md tells the protocol.

``sdk`` is Ingenium's own codec, ``protobuf`` is plain ``google.protobuf`` and its JSON.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable

from google.protobuf import json_format, message_factory  # type: ignore[import-untyped]

import ingenium.events
from ingenium import decode, encode
from ingenium.errors import DecodeError

Answer = tuple[bytes, bytes] | str
"""The value in protobuf's binary form and as JSON, or why the payload is refused."""


def sdk(name: str, payload: bytes) -> Answer:
    """Answer as a component on the SDK does."""
    try:
        event = decode(getattr(ingenium.events, name), payload)
    except DecodeError as error:
        return str(error)
    return bytes(event), encode(event)


def protobuf(name: str, payload: bytes) -> Answer:
    """Answer as a component without the SDK does."""
    # The descriptors are what `buf generate` leaves in the classes.
    descriptor = getattr(ingenium.events, name).DESCRIPTOR
    event = message_factory.GetMessageClass(descriptor)()
    try:
        json_format.Parse(payload, event, ignore_unknown_fields=True)
    except (json_format.ParseError, UnicodeDecodeError) as error:
        return f"{type(error).__name__}: {error}"
    text = json_format.MessageToJson(
        event, always_print_fields_with_no_presence=True, indent=None, ensure_ascii=False
    )
    return event.SerializeToString(), text.encode()


def serve(answer: Callable[[str, bytes], Answer]) -> None:
    """Answer every question on standard input with a line on standard output."""
    for line in sys.stdin:
        question = json.loads(line)
        got = answer(question["event"], base64.b64decode(question["payload"]))
        result = {"id": question["id"]}
        if isinstance(got, str):
            result |= {"verdict": "refused", "error": got}
        else:
            binary, text = (base64.b64encode(part).decode() for part in got)
            result |= {"verdict": "accepted", "binary": binary, "json": text}
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    serve({"sdk": sdk, "protobuf": protobuf}[sys.argv[1]])
