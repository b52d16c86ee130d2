"""Test helpers: run one component, build events, wait for conditions, test a bus.

`MemoryBus` is the fake to test with: it satisfies the same contract as `NatsBus`.
"""

from ingenium.bus.memory import MemoryBus
from ingenium.testing.bus_contract import BusContract
from ingenium.testing.component_run import run
from ingenium.testing.event_builders import data_event, execution_event, order_event, signal_event
from ingenium.testing.values import bar, fill, order
from ingenium.testing.waiting import Collector, IncidentLog, wait_until

__all__ = [
    "BusContract",
    "Collector",
    "IncidentLog",
    "MemoryBus",
    "bar",
    "data_event",
    "execution_event",
    "fill",
    "order",
    "order_event",
    "run",
    "signal_event",
    "wait_until",
]
