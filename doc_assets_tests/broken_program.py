"""``python -m doc_assets_tests.broken_program COMMAND``: the program, in which four things of a search break.

A marked page, the red photo, the pair of one photo with itself, and the lookup of one key.
"""

import numpy as np

from doc_assets.cli import main
from doc_assets.features.sift import SiftExtractor
from doc_assets.photos.cutting import DocumentCutter
from doc_assets.search import matching
from doc_assets.sources.key_lookup import Resolver
from doc_assets_tests.broken import is_marked, is_red, page
from doc_assets_tests.cli.test_sixty_queries import PAIR_PHOTO, ROW


def _break():
    photos, extract, align, one = DocumentCutter.photos, SiftExtractor.extract, matching.align, Resolver._one
    alone = np.asarray(page(PAIR_PHOTO))[80:394, 86:535]
    wanted = extract(SiftExtractor(), np.ascontiguousarray(alone)).thumbnail.astype(int)

    def is_wanted(features):
        return np.abs(features.thumbnail.astype(int) - wanted).mean() < 6

    def cut(self, found):
        if is_marked(found):
            raise RuntimeError("page broken on purpose")
        return photos(self, found)

    def described(self, photo):
        if is_red(photo):
            raise MemoryError("photo broken on purpose")
        return extract(self, photo)

    def aligned(query, mirrored, archive):
        if is_wanted(query) and is_wanted(archive):
            raise np.linalg.LinAlgError("pair broken on purpose")
        return align(query, mirrored, archive)

    def looked_up(self, row, roots):
        if row.key == ROW:
            raise ValueError("row broken on purpose")
        return one(self, row, roots)

    DocumentCutter.photos = cut
    SiftExtractor.extract = described
    matching.align = aligned
    Resolver._one = looked_up


if __name__ == "__main__":
    _break()
    main()
