"""The report of a run: figures as PNG bytes, tables as text, one self-contained page. Touches no files."""

from evodev.report.page import ReportData, build
from evodev.report.table import console_table, rows

__all__ = ["ReportData", "build", "console_table", "rows"]
