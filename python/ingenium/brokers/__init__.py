"""Executors: the paper exchange, and real brokers."""

from ingenium.brokers.paper import PaperExecutor

__all__ = ["PaperExecutor"]
