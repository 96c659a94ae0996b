"""SQL truth about every document: where it is, what became of it, what searches found.

One schema for SQLite (default) and PostgreSQL; changed only by migrations.
"""
