"""``python -m ingenium``: the command line."""

from ingenium.cli import main

main()
