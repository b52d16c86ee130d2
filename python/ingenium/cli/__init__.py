"""The command line: parses arguments and prints."""

from ingenium.cli.main import main

__all__ = ["main"]
