"""The container stack; a package only so that its tests can import each other."""
