"""The control plane: see, launch and stop, over gRPC, JSON and the pages of the dashboard.

Needs the extra ``ingenium[dashboard]``.
"""
