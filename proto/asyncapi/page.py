"""The document as one HTML page, with everything that it needs in it.

It is not made by AsyncAPI's own renderer, which needs a script of 2.5 MB in the page to show it.
This one has some 60 kB and no script, and a review shows what has changed in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from asyncapi.markup import paragraphs, pretty, prose, subject

__all__ = ["render"]

Document = dict[str, Any]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(document: Document) -> str:
    """Return the page of a document; it says what the document says, and no more."""
    info = document["info"]
    title = f"{info['title']} on the bus"
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    parts = _parts_of(document)
    body = [
        paragraphs(info["description"]),
        _section("roles", "Roles", _roles(document)),
        *[
            _section(name, channel["title"], _channel(document, name, channel))
            for name, channel in document["channels"].items()
        ],
        *[
            _section(name, name, f"<p>{prose(schema['description'])}</p>{_fields(schema)}")
            for name, schema in parts.items()
        ],
        _section("headers", "Headers", _headers(document)),
        _section("servers", "Servers", _servers(document)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style></head>\n<body>\n"
        f"<header><h1>{escape(title)} <small>{escape(info['version'])}</small></h1></header>\n"
        + _navigation(document, parts)
        + "<main>\n"
        + "\n".join(body)
        + "\n</main>\n<footer>Made by <code>make generate</code> of the schemas, as is "
        '<a href="asyncapi.yaml">asyncapi.yaml</a>.</footer>\n</body></html>\n'
    )


def _parts_of(document: Document) -> Document:
    """Return the schemas of what is no message itself, but within one."""
    components = document["components"]
    whole = {name.rpartition("/")[2] for name in _payloads(components["messages"])}
    return {
        name: schema
        for name, schema in components["schemas"].items()
        if name not in whole and name != "EventHeaders"
    }


def _payloads(messages: Document) -> Iterator[str]:
    for message in messages.values():
        yield message["payload"]["$ref"]


def _navigation(document: Document, parts: Document) -> str:
    channels = {name: channel["title"] for name, channel in document["channels"].items()}
    groups = {
        "Overview": {"roles": "Roles"},
        "Messages": channels,
        "Parts": {name: name for name in parts},
        "Connection": {"headers": "Headers", "servers": "Servers"},
    }
    lines = [
        f"<b>{title}</b>"
        + "".join(f'<a href="#{name}">{escape(text)}</a>' for name, text in links.items())
        for title, links in groups.items()
    ]
    return "<nav>" + "\n".join(lines) + "</nav>\n"


def _section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}"><h2>{escape(title)}</h2>\n{body}</section>'


def _roles(document: Document) -> str:
    rows = []
    for role, tag in document["components"]["tags"].items():
        rows.append(
            f'<tr><th scope="row">{role}</th><td>{prose(tag["description"])}'
            f'<dl class="flow">{_what(document, role, "send")}{_what(document, role, "receive")}'
            "</dl></td></tr>"
        )
    return f'<table class="roles"><tbody>{"".join(rows)}</tbody></table>'


def _what(document: Document, role: str, action: str) -> str:
    names = [
        operation["channel"]["$ref"].rpartition("/")[2]
        for operation in document["operations"].values()
        if operation["action"] == action and _role_of(operation) == role
    ]
    if not names:
        return ""
    links = ", ".join(
        f'<a href="#{name}">{escape(document["channels"][name]["title"].lower())}</a>'
        for name in names
    )
    return f"<dt>{action}s</dt><dd>{links}</dd>"


def _role_of(operation: Document) -> str:
    role: str = operation["tags"][0]["$ref"].rpartition("/")[2]
    return role


def _channel(document: Document, name: str, channel: Document) -> str:
    [message_name] = channel["messages"]
    message = document["components"]["messages"][message_name]
    schema = document["components"]["schemas"][message_name]
    parameters = "".join(
        f"<p><code>{{{key}}}</code>: {prose(parameter['description'])} Such as "
        f"{', '.join(f'<code>{escape(example)}</code>' for example in parameter['examples'])}.</p>"
        for key, parameter in channel.get("parameters", {}).items()
    )
    return (
        f'<code class="address">{subject(channel["address"])}</code>'
        f'<dl class="flow">{_who(document, name, "send", "sent by")}'
        f"{_who(document, name, 'receive', 'received by')}"
        f"{_subscriptions(document, name)}</dl>"
        f"{parameters}<h3>{escape(message['title'])}</h3><p>{prose(message['description'])}</p>"
        f"{_fields(schema)}{_examples(message)}"
    )


def _operations(document: Document, channel: str, action: str) -> list[Document]:
    return [
        operation
        for operation in document["operations"].values()
        if operation["action"] == action and operation["channel"]["$ref"] == f"#/channels/{channel}"
    ]


def _who(document: Document, channel: str, action: str, title: str) -> str:
    roles = [_role_of(operation) for operation in _operations(document, channel, action)]
    chips = "".join(f'<a class="role" href="#roles">{role}</a>' for role in roles)
    return f"<dt>{title}</dt><dd>{chips}</dd>"


def _subscriptions(document: Document, channel: str) -> str:
    subjects = dict.fromkeys(
        operation["x-nats-subject"] for operation in _operations(document, channel, "receive")
    )
    shown = " or ".join(f"<code>{escape(text)}</code>" for text in subjects)
    return f"<dt>subscribe to</dt><dd>{shown}</dd>"


def _fields(schema: Document) -> str:
    required = set(schema["required"])
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code>'
        f"<small>{'always' if key in required else 'when set'}</small></th>"
        f'<td>{prose(field["description"])}<span class="kind">{_kind(field)}</span></td></tr>'
        for key, field in schema["properties"].items()
    )
    return (
        '<table class="fields"><thead><tr><th>Field, written</th><th>Meaning and form</th></tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )


def _kind(field: Document) -> str:
    """Say in words what a field may hold."""
    if "allOf" in field:
        name = field["allOf"][0]["$ref"].rpartition("/")[2]
        return f'an object: <a href="#{_anchor(name)}">{name}</a>'
    if field.get("type") == "array":
        name = field["items"]["$ref"].rpartition("/")[2]
        return f'a list of objects: <a href="#{_anchor(name)}">{name}</a>'
    if "enum" in field:
        return (
            "one of "
            + _words([word for word in field["enum"] if word])
            + (", or empty" if "" in field["enum"] else "")
        )
    if "x-extensible-enum" in field:
        return _words(field["x-extensible-enum"]) + ", or another word"
    if field.get("format") == "decimal":
        empty = re.search(field["pattern"], "") is not None
        return f"a decimal{', or empty' * empty}: <code>{escape(field['pattern'])}</code>"
    if "pattern" in field:
        return f"text like <code>{escape(field['pattern'])}</code>"
    if field["type"] == "boolean":
        return "true or false"
    if field["type"] == "integer":
        return "a whole number"
    if field.get("format") == "date-time" or "anyOf" in field:
        return "a time, RFC 3339" + (", or empty" if "anyOf" in field else "")
    if "contentEncoding" in field:
        return f"bytes, in {field['contentEncoding']}"
    if field.get("minLength"):
        return f"text, 1 to {field['maxLength']} characters"
    return f"text, at most {field['maxLength']} characters" if "maxLength" in field else "text"


def _anchor(schema: str) -> str:
    return "orders" if schema == "OrderEvent" else schema


def _words(words: list[str]) -> str:
    return ", ".join(f"<code>{escape(word)}</code>" for word in words)


def _examples(message: Document) -> str:
    return "".join(
        f"<details{' open' if place == 0 else ''}><summary>Example: {escape(example['summary'])}"
        f"</summary><pre>{pretty(example['payload'])}</pre></details>"
        for place, example in enumerate(message["examples"])
    )


def _headers(document: Document) -> str:
    schema = document["components"]["schemas"]["EventHeaders"]
    return f"<p>{prose(schema['description'])}</p>{_fields({'required': [], **schema})}"


def _servers(document: Document) -> str:
    security = document["components"]["securitySchemes"]
    return "".join(
        f'<h3>{escape(server["title"])}</h3><code class="address">'
        f"{escape(server['protocol'])}://{subject(server['host'])}</code>"
        f"<p>{prose(server['description'])}</p><ul>"
        + "".join(
            f"<li>{prose(security[way['$ref'].rpartition('/')[2]]['description'])}</li>"
            for way in server["security"]
        )
        + "</ul>"
        for server in document["servers"].values()
    )
