"""Replays over the bus, in step: a conductor, and a runner for each component."""

from ingenium.runtime.lockstep.conductor import Conductor
from ingenium.runtime.lockstep.replay_runner import Member, make_member

__all__ = ["Conductor", "Member", "make_member"]
