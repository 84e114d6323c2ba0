"""Modules that only some runs need, imported when one does."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

PROGRESS = "tollbook.cli.progress"  # the bar of a terminal
GRPC = "tollbook.http.otlp_grpc"  # serve --grpc; needs the extra tollbook[grpc]
RELAY = "tollbook.http.relay_station"  # relay, serve --relay
PROBE = "tollbook.http.relay_probe"  # probe
CSV = "tollbook.render.report_csv"  # the three forms of a report
JSON = "tollbook.render.report_json"
TEXT = "tollbook.render.report_text"
TOML = "tomllib"  # where there are settings
TIME = "datetime"  # where the settings name a time zone,
ZONES = "zoneinfo"  # which the system's clock does not show


def late(module: str) -> ModuleType:
    """Import one of them now."""
    return import_module(module)
