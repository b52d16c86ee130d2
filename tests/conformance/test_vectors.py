"""The vectors: what the source says, what the files hold, and what was promised before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conformance.forms import EVENTS, FORMS
from conformance.page import MANIFEST, VECTORS, generated
from conformance.source.catalogue import GROUPS, VERSION, all_vectors
from conformance.vector import Vector, digest, dump, load
from support.tools import check_append_only

import ingenium.events

KINDS = {"text": "TYPE_STRING", "bool": "TYPE_BOOL", "bytes": "TYPE_BYTES"}
# Classes that are about fields which only some events have.
OF_SOME_EVENTS = {"extension", "decimals", "times", "zero_time"}


def test_generated_files_are_what_their_source_gives() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, f"cd tests && python -m conformance write: {path.name}"


def test_file_reads_as_the_vectors_that_it_was_made_of(tmp_path: Path) -> None:
    vectors = all_vectors()
    assert load(VECTORS) == vectors
    long = "ab" * 400 + "c" * 2000 + "\U0001f4c8\n" * 150 + "end"
    folded = Vector("OrderEvent", "normal", "x", "-", long.encode(), {"Id": long}, f'"{long}"')
    path = tmp_path / "vectors.json"
    path.write_text(dump(1, {}, [folded]))
    assert len(path.read_text()) < 1000
    assert load(path) == [folded]


def test_manifest_has_lost_no_line_since_it_began() -> None:
    check_append_only(MANIFEST)


def test_every_vector_says_why_and_since_when() -> None:
    vectors = load(VECTORS)
    assert len({vector.id for vector in vectors}) == len(vectors) > 600
    assert len({digest(vector) for vector in vectors}) == len(vectors)
    for vector in vectors:
        assert len(vector.why) > 10, vector.id
        assert "\n" not in vector.why, vector.id
        assert 1 <= vector.since <= VERSION, vector.id
    assert json.loads(VECTORS.read_text())["version"] == VERSION
    assert max(vector.since for vector in vectors) == VERSION


@pytest.mark.parametrize("group", GROUPS)
def test_class_has_vectors_of_every_event_that_it_is_about(group: str) -> None:
    events = {vector.event for vector in all_vectors() if vector.group == group}
    if group in OF_SOME_EVENTS:
        assert len(events) > 1
    else:
        assert events == set(EVENTS)


def test_forms_have_the_events_and_fields_of_the_schemas() -> None:
    every = {name for name in ingenium.events.__all__ if name.endswith("Event")} - {"Event"}
    assert set(EVENTS) == every
    for name, form in FORMS.items():
        fields = getattr(ingenium.events, name).DESCRIPTOR.fields
        assert [field.key for field in form] == [field.json_name for field in fields]
        for field, of_schema in zip(form, fields, strict=True):
            if of_schema.message_type is None:
                assert of_schema.type == getattr(of_schema, KINDS[field.kind]), field
                assert field.extension == of_schema.has_presence, field
            else:
                kind = "Timestamp" if field.kind == "time" else field.kind
                assert of_schema.message_type.name == kind, field
