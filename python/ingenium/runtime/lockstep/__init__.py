"""Lockstep replays over the bus: a conductor, and a runner for each component."""

from ingenium.runtime.lockstep.conductor import Conductor
from ingenium.runtime.lockstep.replay_runner import ReplayRunner, make_replay_runner

__all__ = ["Conductor", "ReplayRunner", "make_replay_runner"]
