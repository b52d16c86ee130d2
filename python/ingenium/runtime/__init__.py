"""Runners of components: live, durable (over streams), and in replays."""
