"""Telemetry: names, trace identity, and the export of spans by OpenTelemetry, if asked for."""
