"""Finds photos that were re-used from one scanned document in another."""
