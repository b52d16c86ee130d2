"""Kills a component of the live example, as a crash would: ``kill.py feed``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys


def main(name: str) -> int:
    """Kill the process of a component, which must be one of its own."""
    shown = subprocess.run(
        ["ingenium", "status", "live", "--json"], capture_output=True, text=True, check=False
    )
    [app] = json.loads(shown.stdout)["apps"]
    found = {each["name"]: each for each in app["components"]}
    if name not in found or found[name]["liveness"] != "alive":
        print(f"no component {name!r} runs: there are {', '.join(found) or 'none'}")
        return 1
    process = found[name]["process"]
    if [each["process"] for each in found.values()].count(process) > 1:
        print(f"{name!r} shares process {process} with others: run the app with --processes")
        return 1
    os.kill(process, signal.SIGKILL)
    print(f"killed {found[name]['role']} {name}, process {process}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
