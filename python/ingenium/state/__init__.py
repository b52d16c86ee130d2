"""Saved state of components and accounts, as rows of JSON."""
