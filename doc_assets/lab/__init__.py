"""Pictures, attacks and inspection documents that this package draws itself, and the fits of its weights on them.

They fit the built-in weights, fill the demo and plant the copies of self-tests; no photograph of
anybody ships with the package.
"""
