"""Vectors <-> Qdrant, behind one interface for the embedded engine and for a server."""
