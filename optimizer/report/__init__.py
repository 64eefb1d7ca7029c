"""The report: what the songs show, as one HTML page to listen to."""

from __future__ import annotations

from optimizer.report.analysis import Analysis, analyse
from optimizer.report.page import Settings, write_report

__all__ = ["Analysis", "Settings", "analyse", "write_report"]
