"""For tests: run one component, builders, waiting, and the suite that every bus passes.

`MemoryBus` is the fake to test with: it keeps the contract that `NatsBus` keeps.
"""

from ingenium.bus.memory import MemoryBus
from ingenium.testing.bus_contract import BusContract
from ingenium.testing.events import data_event, execution_event, order_event, signal_event
from ingenium.testing.run import run
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
