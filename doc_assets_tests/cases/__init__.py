"""Small inputs that once failed, each against its right value, and their kind."""
