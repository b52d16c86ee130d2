"""Deployment: starts the components of an app."""
