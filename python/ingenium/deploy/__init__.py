"""Starts the components of an app where they are to run."""
