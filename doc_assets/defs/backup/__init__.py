"""Backups on a schedule."""
