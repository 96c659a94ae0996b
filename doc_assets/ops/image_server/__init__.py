"""The document API: documents by key over HTTP, from archive folders that are only read."""
