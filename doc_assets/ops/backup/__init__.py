"""Backups: one folder with everything of a home and a manifest that says what must be in it, and the way back.

A backup that was not verified and restored is none, so that making, verifying and restoring stand side by side here and
share one manifest. What is restored replaces what is there only after it is complete, and what was there comes back if
the restored one is not whole.
"""
