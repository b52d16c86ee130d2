"""Executors: the paper exchange, and real brokers."""

from ingenium.brokers.broker import Broker, BrokerFill, BrokerOrder
from ingenium.brokers.broker_books import BrokerBooks, read_broker
from ingenium.brokers.broker_executor import BrokerExecutor
from ingenium.brokers.paper_executor import PaperExecutor

__all__ = [
    "Broker",
    "BrokerBooks",
    "BrokerExecutor",
    "BrokerFill",
    "BrokerOrder",
    "PaperExecutor",
    "read_broker",
]
