"""Documents that are erased on request."""
