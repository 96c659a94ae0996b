"""Query documents -> ranked results, on demand."""
