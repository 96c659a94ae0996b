"""Telling another system about failed runs."""
