"""Assets from the files of a drop to the searchable collection."""
