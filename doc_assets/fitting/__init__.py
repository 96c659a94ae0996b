"""Makes the weights that ship with the package, from pictures the package draws itself."""
