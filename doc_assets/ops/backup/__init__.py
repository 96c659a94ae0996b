"""Backups and restores of a home.

A backup is one folder with everything of a home and a manifest that says what must be in it. ``make`` writes it,
``verify`` reads it to its last byte, ``restore`` replaces a home by it, ``packing`` makes one file of it.
"""
