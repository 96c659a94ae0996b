"""Documents that must vanish."""
