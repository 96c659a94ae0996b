"""Query documents -> ranked archive documents: read, retrieve per photo, aggregate per document."""
