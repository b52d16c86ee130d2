"""The AsyncAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asyncapi.channels import CHANNELS, ROLES, Channel, operations, parameters_of
from asyncapi.examples import examples_of
from asyncapi.schemas import json_schema
from asyncapi.source import Message

from ingenium import __version__
from ingenium._gen.ingenium import v1
from ingenium.bus.envelope import CAUSE
from ingenium.events import ContentType
from ingenium.operations.dead_letters import RESENT
from ingenium.runtime.durable.causes import CAUSE_TIME
from ingenium.runtime.durable.transaction import DEADLINE, DEADLINE_SECONDS

__all__ = ["make_document"]

_ABOUT = """\
A trading system of small components that meet only on a NATS bus. Each is one of the roles
below, written in any language; it receives events and sends others. An operation is what one role
does, from that role's own point of view.

An event is one JSON object in UTF-8. Keys match in any case, unknown keys are skipped, and a
missing one means an empty value. Some keys are always written, empty as "" or false; the others
only when they are set. Numbers are decimal strings, so that no digit is lost. Some words are all
that there are; where others may come, a reader keeps them as they are.

A message with the header `Content-Type: application/protobuf` holds the same event in protobuf's
binary form instead.

In asyncapi.yaml, `required` has the keys that are always written, `enum` words that are all, and
`x-extensible-enum` words that others may join; `x-protobuf-message` and `x-protobuf-number` name
message and field of the binary form, and `x-nats-subject` is what a role subscribes to.
"""
_SERVERS: dict[str, Any] = {
    "embedded": {
        "host": "127.0.0.1:{port}",
        "protocol": "nats",
        "title": "Embedded server",
        "description": (
            "What `ingenium run` starts when NATS_SERVER is not set. Its address and the "
            "credentials of each role are in files below .ingenium, which only you may read."
        ),
        "variables": {"port": {"description": "A free port, another one at each start."}},
        "security": [{"$ref": "#/components/securitySchemes/login"}],
        "bindings": {"nats": {}},
    },
    "own": {
        "host": "{host}:4222",
        "protocol": "nats",
        "title": "A server of your own",
        "description": (
            "The one that NATS_SERVER names; on another machine with TLS, as tls://host:4222. "
            "`ingenium accounts` writes its users and their rights."
        ),
        "variables": {"host": {"description": "Its name.", "default": "localhost"}},
        "security": [
            {"$ref": "#/components/securitySchemes/login"},
            {"$ref": "#/components/securitySchemes/nkey"},
            {"$ref": "#/components/securitySchemes/certificate"},
        ],
        "bindings": {"nats": {}},
    },
}
_SECURITY: dict[str, Any] = {
    "login": {
        "type": "userPassword",
        "description": "A user for each role, in accounts that keep market data, strategies and "
        "money apart. A reader may only listen.",
    },
    "nkey": {
        "type": "asymmetricEncryption",
        "description": "The seed of an nkey, or a .creds file, in INGENIUM_NATS_CREDENTIALS.",
    },
    "certificate": {
        "type": "X509",
        "description": "A certificate to show, in INGENIUM_NATS_CERT and INGENIUM_NATS_KEY.",
    },
}
_HEADERS: dict[str, Any] = {
    "title": "EventHeaders",
    "description": "All optional for a reader; components of the original library send none.",
    "type": "object",
    "properties": {
        "Nats-Msg-Id": {
            "description": "The event's id. A stream drops a second message with the same one.",
            "type": "string",
        },
        "Ingenium-Source": {
            "description": "Name of the component that sent it.",
            "type": "string",
        },
        DEADLINE: {
            "description": (
                "A time, RFC 3339. After it a signal, an order or a replacement must not be acted "
                "upon: an executor reports the order as expired. Sent by components that keep "
                f"their messages in a stream, {DEADLINE_SECONDS:g} s after the cause of the event."
            ),
            "type": "string",
            "format": "date-time",
        },
        CAUSE_TIME: {
            "description": (
                "A time, RFC 3339: when the stream kept the bar that a signal, an order or a "
                "replacement goes back to, by the server's clock. What is late counts from it."
            ),
            "type": "string",
            "format": "date-time",
        },
        CAUSE: {
            "description": (
                "Id of the event whose handling sent this one: of the bar for a signal, of the "
                "signal for an order. Not sent where nothing with an id was handled."
            ),
            "type": "string",
        },
        RESENT: {
            "description": (
                "Id of the dead letter whose payload an operator has sent once more with "
                "`ingenium deadletters`."
            ),
            "type": "string",
            "pattern": "^dead_",
        },
        "traceparent": {
            "description": (
                "Trace context as W3C has it: the trace, and the span of sending this event. Sent "
                "by a component that traces, or that handled an event with it."
            ),
            "type": "string",
        },
        "tracestate": {
            "description": (
                "Trace context as W3C has it. Ingenium neither sends nor reads it, and passes "
                "over it."
            ),
            "type": "string",
        },
        "Content-Type": {
            "description": "The form of the payload; JSON without it.",
            "type": "string",
            "enum": [*ContentType],
            "default": ContentType.JSON,
        },
    },
}


def make_document(messages: Mapping[str, Message]) -> dict[str, Any]:
    """Return the document.

    Args:
        messages: The schemas, by name.

    Raises:
        RuntimeError: A message or a field has nothing said about it here; the text says where to.
    """
    known = {channel.message for channel in CHANNELS}
    for name in messages:
        if name.endswith("Event") and name not in known:
            raise RuntimeError(f"{name} is on no channel: add one to proto/asyncapi/channels.py")
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ingenium",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": ContentType.JSON,
        "servers": _SERVERS,
        "channels": {channel.name: _channel(channel, messages) for channel in CHANNELS},
        "operations": operations(),
        "components": {
            "messages": {
                channel.message: _message(messages[channel.message]) for channel in CHANNELS
            },
            "schemas": {
                **{name: json_schema(message, vars(v1)) for name, message in messages.items()},
                "EventHeaders": _HEADERS,
            },
            "securitySchemes": _SECURITY,
            "tags": {role: {"name": role, "description": text} for role, text in ROLES.items()},
        },
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def _channel(channel: Channel, messages: Mapping[str, Message]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "address": channel.address,
        "title": channel.title,
        "description": _first_sentence(messages[channel.message].comment),
        "messages": {
            channel.message: {"$ref": f"#/components/messages/{channel.message}"},
        },
    }
    if parameters := parameters_of(channel):
        described["parameters"] = parameters
    return described


def _message(message: Message) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": message.name,
        "title": message.name,
        "summary": _first_sentence(message.comment),
        "description": message.comment,
        "contentType": ContentType.JSON,
        "payload": {"$ref": f"#/components/schemas/{message.name}"},
        "examples": examples_of(message.name),
        "x-protobuf-message": message.full_name,
    }
    if message.name.endswith("Event"):
        described["headers"] = {"$ref": "#/components/schemas/EventHeaders"}
    return described


def _first_sentence(text: str) -> str:
    """Return the first sentence of a comment."""
    head, end, _ = text.partition(". ")
    return f"{head}." if end else text


def _plain(value: Any) -> Any:
    """Return the value with the members of enums as the strings that they are."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str.__str__(value) if isinstance(value, str) else value
