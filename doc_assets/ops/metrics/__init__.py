"""Metrics for Prometheus: counts, times and free space, never the name of a document, a file, a merchant or a person.

A source is something that can be asked: the ledger, Dagster's instance, the vector store, the machine. One that does
not answer shows as ``doc_assets_source_up 0`` and without its series; a zero is always a count.
"""
