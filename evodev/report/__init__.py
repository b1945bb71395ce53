"""The report of a run: figures as PNG bytes, tables as text, one self-contained page. Touches no files."""

from evodev.report.data import ReportData
from evodev.report.table import console_table, rows

__all__ = ["ReportData", "console_table", "rows"]
