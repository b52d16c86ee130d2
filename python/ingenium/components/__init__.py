"""The components of a trading system, and the app that they form."""

from ingenium.clock import format_time
from ingenium.components.app import App
from ingenium.components.app_checks import check_handlers, missing_handlers
from ingenium.components.app_loader import load_app, load_factory, load_message
from ingenium.components.arm import arm
from ingenium.components.by_symbol import BySymbol, Stateful
from ingenium.components.component import Component
from ingenium.components.executor import Executor
from ingenium.components.external import External
from ingenium.components.handle_of import handle_of
from ingenium.components.ingestor import DataNote, Ingestor, collect_notes
from ingenium.components.middleware import Handling, HandlingKind, Middleware, Outcome, RunnerKind
from ingenium.components.portfolio import Portfolio
from ingenium.components.strategy import Strategy

__all__ = [
    "App",
    "BySymbol",
    "Component",
    "DataNote",
    "Executor",
    "External",
    "Handling",
    "HandlingKind",
    "Ingestor",
    "Middleware",
    "Outcome",
    "Portfolio",
    "RunnerKind",
    "Stateful",
    "Strategy",
    "arm",
    "check_handlers",
    "collect_notes",
    "format_time",
    "handle_of",
    "load_app",
    "load_factory",
    "load_message",
    "missing_handlers",
]
