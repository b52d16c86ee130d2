"""Components: what they are, and the app that they make."""

from ingenium.clock import format_time
from ingenium.components.app import App
from ingenium.components.base import Component
from ingenium.components.executor import Executor
from ingenium.components.external import External
from ingenium.components.gated import arm
from ingenium.components.ingestor import DataNote, Ingestor, collect_notes
from ingenium.components.loading import load_app, load_factory
from ingenium.components.mistakes import check_handlers, missing_handlers
from ingenium.components.portfolio import Portfolio
from ingenium.components.strategy import Strategy

__all__ = [
    "App",
    "Component",
    "DataNote",
    "Executor",
    "External",
    "Ingestor",
    "Portfolio",
    "Strategy",
    "arm",
    "check_handlers",
    "collect_notes",
    "format_time",
    "load_app",
    "load_factory",
    "missing_handlers",
]
