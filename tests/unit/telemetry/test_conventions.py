"""Names against OpenTelemetry's own package of the semantic conventions."""

import re
from pathlib import Path

from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.semconv._incubating.metrics import messaging_metrics
from opentelemetry.semconv.attributes import error_attributes, exception_attributes
from opentelemetry.semconv.schemas import Schemas

import ingenium.telemetry
from ingenium.telemetry import conventions

PACKAGE = Path(ingenium.__path__[0])


def test_names_of_attributes_are_those_of_the_conventions() -> None:
    assert conventions.MESSAGING_SYSTEM == messaging.MESSAGING_SYSTEM
    assert conventions.OPERATION_NAME == messaging.MESSAGING_OPERATION_NAME
    assert conventions.OPERATION_TYPE == messaging.MESSAGING_OPERATION_TYPE
    assert conventions.DESTINATION_NAME == messaging.MESSAGING_DESTINATION_NAME
    assert conventions.DESTINATION_TEMPLATE == messaging.MESSAGING_DESTINATION_TEMPLATE
    assert conventions.MESSAGE_ID == messaging.MESSAGING_MESSAGE_ID
    assert conventions.CLIENT_ID == messaging.MESSAGING_CLIENT_ID
    assert conventions.ERROR_TYPE == error_attributes.ERROR_TYPE
    assert conventions.EXCEPTION_TYPE == exception_attributes.EXCEPTION_TYPE
    assert conventions.EXCEPTION_MESSAGE == exception_attributes.EXCEPTION_MESSAGE
    operations = {each.value for each in messaging.MessagingOperationTypeValues}
    assert {conventions.SEND, conventions.PROCESS} <= operations


def test_names_of_metrics_are_those_of_the_conventions() -> None:
    assert conventions.SENT_MESSAGES == messaging_metrics.MESSAGING_CLIENT_SENT_MESSAGES
    assert conventions.CONSUMED_MESSAGES == messaging_metrics.MESSAGING_CLIENT_CONSUMED_MESSAGES
    assert conventions.PROCESS_DURATION == messaging_metrics.MESSAGING_PROCESS_DURATION


def test_version_has_a_schema() -> None:
    assert conventions.SCHEMA_URL in {each.value for each in Schemas}


def test_no_other_module_contains_a_name() -> None:
    names = re.compile(r"""["'](messaging|ingenium\.(order|denial))\.[a-z_.]+["']""")
    home = PACKAGE / "telemetry" / "conventions.py"
    assert names.search(home.read_text("utf-8"))
    found = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path != home and "_gen" not in path.parts and names.search(path.read_text("utf-8"))
    ]
    assert found == []
