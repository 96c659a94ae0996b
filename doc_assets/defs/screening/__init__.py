"""Every drop against the archive, and the report a reviewer opens."""
