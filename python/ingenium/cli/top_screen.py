"""The live view of ``ingenium top``, with textual."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ingenium.cli.top_view import text_of_view
from ingenium.errors import IngeniumError, MissingDependencyError

try:
    from textual.app import App, ComposeResult
    from textual.binding import Binding, BindingType
    from textual.containers import VerticalScroll
    from textual.widgets import Footer, Static
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"the live view needs the package {error.name!r}: pip install 'ingenium[top]', or use "
        "ingenium top --once"
    ) from error

if TYPE_CHECKING:
    from ingenium.operations.live_rates import AppView, RateReader

__all__ = ["TopScreen", "watch"]


class TopScreen(App[None]):
    """Shows an app, and refreshes after each interval.

    Args:
        reader: Looks at the app.
        every: Interval in seconds.

    Attributes:
        is_held: Whether it looks no more, until it is asked to go on.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("space", "hold", "Hold"),
    ]

    def __init__(self, reader: RateReader, every: float) -> None:
        super().__init__()
        self._reader = reader
        self._every = every
        self._view: AppView | None = None
        self.is_held = False

    def compose(self) -> ComposeResult:
        """Return the parts of the screen."""
        with VerticalScroll():
            # Texts of users are shown as they are.
            yield Static("looking ...", id="view", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to look."""
        self.title = f"ingenium top {self._reader.place.app}"
        self.run_worker(self._look(), exclusive=True)
        self.set_interval(self._every, self._look_again)

    def on_resize(self) -> None:
        """Fit the view to the screen."""
        self._show()

    def action_hold(self) -> None:
        """Hold the view, or go on."""
        self.is_held = not self.is_held

    def _look_again(self) -> None:
        # A look that takes longer than the interval is not interrupted.
        if not self.is_held and not any(worker.is_running for worker in self.workers):
            self.run_worker(self._look())

    async def _look(self) -> None:
        try:
            self._view = await self._reader.observe()
        except IngeniumError as error:
            self.query_one("#view", Static).update(str(error))
            return
        self._show()

    def _show(self) -> None:
        if self._view is not None:
            text = text_of_view(self._view, self.size.width - 2)
            self.query_one("#view", Static).update(text)


def watch(reader: RateReader, every: float) -> None:
    """Show an app until the user quits."""
    TopScreen(reader, every).run()
