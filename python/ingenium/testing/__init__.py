"""For tests of programs that use this package: builders, waiting, and the suite every bus passes.

`MemoryBus` is the fake to test with: it keeps the contract that `NatsBus` keeps.
"""

from ingenium.bus.memory import MemoryBus
from ingenium.testing.bus_contract import BusContract
from ingenium.testing.event_builders import data_event, execution_event, order_event, signal_event
from ingenium.testing.waiting import Collector, IncidentLog, wait_until

__all__ = [
    "BusContract",
    "Collector",
    "IncidentLog",
    "MemoryBus",
    "data_event",
    "execution_event",
    "order_event",
    "signal_event",
    "wait_until",
]
