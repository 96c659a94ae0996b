"""The report for the team's lead: figures of a day or month, as a page, a workbook and JSON."""
