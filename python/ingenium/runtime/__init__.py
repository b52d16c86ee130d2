"""Runs components: live, over streams that keep everything, and in replays."""
