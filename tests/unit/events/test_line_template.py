"""The pieces of an event's JSON, put together, are what the codec writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingenium import DataEvent, OrderEvent, encode
from ingenium.events import Ohlc
from ingenium.events.line_template import line_template

VARYING = ["timestamp", "ohlc.open", "ohlc.high", "ohlc.low", "ohlc.close", "ohlc.volume",
           "ohlc.timestamp", "id"]  # fmt: skip


def test_pieces_with_values_between_them_are_the_json_of_the_event() -> None:
    pieces = line_template(
        DataEvent, {"type": "data.type.ohlc", "symbol": 'A"<B', "ohlc.period": "1d"}, VARYING
    )
    assert len(pieces) == 17
    assert pieces[1::2] == [""] * 8
    end, start = "2024-01-03T00:00:00Z", "2024-01-02T00:00:00Z"
    pieces[1::2] = [end, "1", "2", "0.5", "1.50", "", start, "x"]
    bar = Ohlc(open="1", high="2", low="0.5", close="1.50", volume="", period="1d",
               timestamp=datetime(2024, 1, 2, tzinfo=UTC))  # fmt: skip
    event = DataEvent("data.type.ohlc", 'A"<B', end, bar, "x")
    assert "".join(pieces).encode() == encode(event)


@pytest.mark.parametrize(
    ("fixed", "varying", "said"),
    [
        ({"colour": "red"}, VARYING, "always writes type"),
        ({"type": "", "symbol": "", "colour": ""}, VARYING, "has no field colour"),
        ({"type": "", "symbol": ""}, VARYING[::-1], "the order of DataEvent is timestamp, ohlc"),
        ({"type": ""}, VARYING, "DataEvent always writes symbol: name it"),
    ],
)  # fmt: skip
def test_fields_that_do_not_fit_the_schema_are_refused(
    fixed: dict[str, str], varying: list[str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        line_template(DataEvent, fixed, varying)


def test_field_that_is_no_text_is_refused() -> None:
    names = ["id", "timestamp", "symbol", "side", "quantity", "type", "time_in_force",
             "extended_hours"]  # fmt: skip
    with pytest.raises(ValueError, match="extended_hours is neither a string nor a time"):
        line_template(OrderEvent, {}, names)
