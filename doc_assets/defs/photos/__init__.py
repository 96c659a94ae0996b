"""Documents -> photos."""
