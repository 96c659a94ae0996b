"""Drawn scenes with depth, printed things, pictures of forms and re-uses that are hard to find. One seed, one picture.

The models of likeness and of flat graphics are fitted and measured on them, and tests draw them; doc_assets does not.
"""
