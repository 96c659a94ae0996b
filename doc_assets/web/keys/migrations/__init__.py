"""Tables of named keys."""
