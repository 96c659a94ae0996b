"""Documents of the archive against the archive: does a drop re-use photos, and would a re-use be found?"""
