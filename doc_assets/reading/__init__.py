"""Bytes of a document -> upright RGB pages.

Nothing here trusts a file: its structure is walked before any library sees it (``preflight``), pages
are decoded from bytes in a child process with limits (``decoder_process``, ``sandbox``).
"""
