"""Monitors whether the programs of a live app subscribe and publish as required."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingenium.bus.base import Bus, Message, Subscription
from ingenium.bus.envelope import source_of
from ingenium.bus.roles import owner_of
from ingenium.components import App, Component, External
from ingenium.components.base import role_of
from ingenium.deploy.local.program_subjects import described, output_of, subjects_needed
from ingenium.deploy.local.server_connections import Connection, ServerConnections
from ingenium.subjects.grammar import matches
from ingenium.subjects.space import DOCUMENTED, SubjectSpace

__all__ = ["LISTEN_SECONDS", "ProgramWatch"]

_STARTING_SECONDS = 0.1
_EVERY_SECONDS = 1.0
LISTEN_SECONDS = 5.0
"""How long a program may take to subscribe before that is said."""
_SEND_SECONDS = 10.0
_BLIND_SECONDS = 2.0
_SHOWN = 6
"""Maximum number of subjects listed per program."""


@dataclass(slots=True)
class _Watched:
    """Known facts about one program."""

    component: External
    needed: list[str]
    output: str
    began: float | None = None
    newer_than: int = 0
    connections: list[Connection] = field(default_factory=list)
    is_visible: bool = True
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ready_at: float = 0.0
    missed_since: float | None = None
    has_sent: bool = False
    has_ended: bool = False
    said: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        return f"{self.component}"


class ProgramWatch:
    """Detects programs in other languages that do not take part in a live app.

    Queries connections and subscriptions of the server, and waits for the first event of each
    program. Reports only certain facts: a program that sends nothing may have nothing to send.

    Args:
        bus: Where the components meet.
        app: App whose `External` components are watched.
        server: Lists connections.
        on_problem: Receives a problem with advice.
        on_ready: Called when a program becomes ready after the start.
        space: Where the subjects are on the server.
        listen_seconds: Seconds until a missing subscription is reported.
        send_seconds: Seconds without a sent event until that is reported.
    """

    def __init__(
        self,
        bus: Bus,
        app: App,
        server: ServerConnections,
        on_problem: Callable[[str], None],
        on_ready: Callable[[str], None],
        space: SubjectSpace = DOCUMENTED,
        *,
        listen_seconds: float = LISTEN_SECONDS,
        send_seconds: float = _SEND_SECONDS,
    ) -> None:
        self._bus = bus
        self._server = server
        self._on_problem = on_problem
        self._on_ready = on_ready
        self._listen_seconds = listen_seconds
        self._send_seconds = send_seconds
        self._space = space
        self._own = {c.name for c in app.components if not isinstance(c, External)}
        # Connections of this package's own read-only tools.
        self._own |= {f"ingenium {app.name}", "ingenium tap", f"operator of {app.name}"}
        self._watched = {
            c.name: _Watched(c, list(map(space.to_server, subjects_needed(c))), output_of(c))
            for c in app.components
            if isinstance(c, External)
        }
        self._subscriptions: dict[str, Subscription] = {}
        self._task: asyncio.Task[None] | None = None
        self._newest = 0
        self._known: set[int] = set()
        self._is_complete = False

    async def start(self) -> None:
        """Start watching; externally started programs count as started now."""
        if not self._watched:
            return
        for output in {each.output for each in self._watched.values()}:
            self._subscriptions[output] = await self._bus.subscribe(output, self._hearer(output))
        found = await self._server.ask()
        self._newest = max((each.number for each in found or ()), default=0)
        for watched in self._watched.values():
            if watched.component.command is None:
                watched.began = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for subscription in self._subscriptions.values():
            await subscription.stop()

    async def starts(self, name: str) -> None:
        """Record that a program is about to start: earlier connections are not its own."""
        if (watched := self._watched.get(name)) is not None:
            found = await self._server.ask()
            self._newest = max((each.number for each in found or ()), default=self._newest)
            watched.newer_than = self._newest
            watched.began = asyncio.get_running_loop().time()

    def reported(self, name: str) -> None:
        """Record that a program has reported ready."""
        if (watched := self._watched.get(name)) is not None:
            self._now_ready(watched)

    def ended(self, name: str) -> None:
        """Record that a program has ended as permitted."""
        if (watched := self._watched.get(name)) is not None:
            watched.has_ended = True

    def ready(self, name: str) -> asyncio.Event:
        """Return the event that is set when a program is ready."""
        return self._watched[name].ready

    def is_ready(self, component: Component) -> bool:
        """Whether a component takes part; always true for components in Python."""
        watched = self._watched.get(component.name)
        return watched is None or watched.ready.is_set()

    def expectation(self, name: str) -> str:
        """Describe what a program must do, for an error."""
        return _expectation(self._watched[name])

    def missing(self) -> list[str]:
        """Describe the programs that are not ready; later ones are reported from then on."""
        self._is_complete = True
        return [
            f"{each.title}, which {_expectation(each)}"
            for each in self._watched.values()
            if not each.ready.is_set()
        ]

    def state_of(self, component: External) -> str:
        """Describe what is known of a ready program."""
        watched = self._watched[component.name]
        if not watched.is_visible and not watched.has_sent:
            return "another program, which cannot be seen on this server"
        if watched.connections and watched.needed:
            return "another program, listening"
        return "another program"

    # Received events.

    def _hearer(self, output: str) -> Callable[[Message], None]:
        def hear(message: Message) -> None:
            source = source_of(message)
            for watched in self._watched.values():
                # Programs of the original library do not send their name.
                mine = source == watched.component.name or not source
                if watched.output == output and mine and not watched.has_sent:
                    watched.has_sent = True
                    self._is_seen(watched)

        return hear

    # Data from the server.

    async def _run(self) -> None:
        while True:
            waiting = [each for each in self._watched.values() if not each.ready.is_set()]
            await self._look()
            for output in list(self._subscriptions):
                if all(e.has_sent for e in self._watched.values() if e.output == output):
                    await self._subscriptions.pop(output).stop()
            await asyncio.sleep(_STARTING_SECONDS if waiting else _EVERY_SECONDS)

    async def _look(self) -> None:
        found = await self._server.ask()
        now = asyncio.get_running_loop().time()
        taken: set[int] = set()
        # Any connection may be an ingestor's, so programs that must subscribe are matched first.
        for watched in sorted(self._watched.values(), key=lambda each: not each.needed):
            if watched.began is None or watched.has_ended:
                continue
            is_started_here = watched.component.command is not None
            if found is None:
                watched.is_visible = False
            else:
                watched.connections = self._candidates(watched, found, taken)
                is_here = _listen(watched.connections, watched.needed)
                is_elsewhere = not is_here and not self._may_be_seen(watched)
                watched.is_visible = not is_elsewhere
                if is_here:
                    taken |= _taking_part(watched)
                    self._is_back(watched)
                    self._is_seen(watched)
                elif not is_elsewhere:
                    self._missed(watched, now)
            if not watched.is_visible and now - watched.began >= _BLIND_SECONDS and is_started_here:
                # The server offers no way to tell when the program is ready.
                self._is_seen(watched)
            self._look_at_output(watched, now)
        self._known = {each.number for each in found or ()}

    def _may_be_seen(self, watched: _Watched) -> bool:
        """Whether the program would appear in the connections if subscribed."""
        changed = {"NATS_SERVER", "INGENIUM_NATS_CREDENTIALS"} & set(watched.component.environment)
        return self._server.sees_all and not changed

    def _candidates(
        self, watched: _Watched, found: Sequence[Connection], taken: set[int]
    ) -> list[Connection]:
        """Return the connections that may belong to the program."""
        component = watched.component
        named = [each for each in found if each.name == component.name]
        if named:
            return named
        others = set(self._watched)
        return [
            each
            for each in found
            if each.number > watched.newer_than
            and each.number not in taken
            and each.name not in self._own
            and each.name not in others
            and _may_be(component, each.user)
            # A new connection may be another program that is about to subscribe.
            and (watched.needed or each.number in self._known)
        ]

    def _is_back(self, watched: _Watched) -> None:
        watched.missed_since = None
        problems = {each for each in watched.said if each != "silent"}
        if problems and watched.ready.is_set():
            self._on_ready(f"{watched.title} is connected and listens again")
        watched.said -= problems

    def _is_seen(self, watched: _Watched) -> None:
        # A program with reports reports ready itself.
        if not watched.component.reports:
            self._now_ready(watched)

    def _now_ready(self, watched: _Watched) -> None:
        if watched.ready.is_set():
            return
        watched.ready.set()
        watched.ready_at = asyncio.get_running_loop().time()
        if self._is_complete:
            self._on_ready(f"{watched.title} is ready now: {self.state_of(watched.component)}")

    def _missed(self, watched: _Watched, now: float) -> None:
        """Report a missing subscription after the allowed time."""
        if watched.missed_since is None:
            watched.missed_since = now if watched.ready.is_set() else watched.began
        if now - (watched.missed_since or now) < self._listen_seconds:
            return
        seconds = f"{self._listen_seconds:g} s"
        if watched.ready.is_set() and not watched.connections:
            self._say(
                watched,
                "gone",
                f"has not been connected for {seconds}; it {_expectation(watched)}",
            )
        elif watched.connections:
            subjects = sorted({s for each in watched.connections for s in each.subjects})
            shown = ", ".join(subjects[:_SHOWN]) or "nothing but inboxes"
            more = f" and {len(subjects) - _SHOWN} more" if len(subjects) > _SHOWN else ""
            self._say(
                watched,
                f"elsewhere {shown}",
                f"is connected and has listened for {seconds} to {shown}{more}, but "
                f"{_expectation(watched)}: have it subscribe to just that, in lower case",
            )
        elif watched.component.command is None:
            self._say(
                watched,
                "missing",
                f"is not seen on {self._bus.url}: start its program, with NATS_SERVER naming this "
                f"server; it {_expectation(watched)}",
            )
        else:
            self._say(
                watched,
                "missing",
                f"runs, but has not connected to {self._bus.url} for {seconds}; it "
                f"{_expectation(watched)}: have it connect to the URL in NATS_SERVER, which "
                "the run puts into its environment",
            )

    def _look_at_output(self, watched: _Watched, now: float) -> None:
        if watched.has_sent or not watched.ready.is_set() or watched.missed_since is not None:
            return
        if now - watched.ready_at < self._send_seconds:
            return
        output = self._space.to_server(watched.output)
        text = f"has sent nothing on {output} for {self._send_seconds:g} s"
        if watched.needed and watched.connections:
            received = max(each.received for each in watched.connections)
            text += f", and has been sent {received:,} message{'' if received == 1 else 's'}"
        hints = {
            "ingestor": "a quiet market looks the same",
            "strategy": "it may have no opinion yet",
            "portfolio": "it may want no order; a client of the original library has to publish "
            "its orders itself, since SendOrder does not",
            "executor": "it may have had no order to report on",
        }
        self._say(watched, "silent", f"{text}: {hints[watched.component.role]}")

    def _say(self, watched: _Watched, what: str, text: str) -> None:
        if what not in watched.said:
            watched.said.add(what)
            self._on_problem(f"{watched.title} {text}")


def _listen(connections: Sequence[Connection], needed: Sequence[str]) -> bool:
    """Whether the connections together subscribe to all required subjects."""
    subjects = {subject for each in connections for subject in each.subjects}
    return bool(connections) and all(
        any(matches(own, subject) for own in subjects) for subject in needed
    )


def _taking_part(watched: _Watched) -> set[int]:
    """Return the ids of the connections that belong to the program, as far as known."""
    if not watched.needed:
        return {watched.connections[0].number}
    return {
        each.number
        for each in watched.connections
        if any(matches(own, subject) for own in each.subjects for subject in watched.needed)
    }


def _may_be(component: Component, user: str) -> bool:
    """Whether a user may be that of a component; a user of no app may be."""
    role, name = owner_of(user)
    return not role or (role == role_of(component) and name in {"", component.name})


def _expectation(watched: _Watched) -> str:
    if not watched.needed:
        return f"should connect and send to {watched.output}"
    subjects = [described(subject) for subject in watched.needed]
    more = f" and {len(subjects) - _SHOWN} more" if len(subjects) > _SHOWN else ""
    return f"should listen to {', '.join(subjects[:_SHOWN])}{more}"
