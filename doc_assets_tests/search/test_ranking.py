from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doc_assets.archive.ledger.search_settings import Thresholds
from doc_assets.datatypes import Box, PhotoPayload, View
from doc_assets.search.ranking import PhotoMatch, Twin, best_of_each_photo, rank_documents

ANY_VIEW = View(0, False)
THRESHOLDS = Thresholds()


def match(query_photo, document, similarity, photo=0, view=ANY_VIEW, same_batch=False):
    payload = PhotoPayload(document, f"{document}.tif", "ab", "drop", 0, photo, Box(0, 0, 1, 1))
    return PhotoMatch(query_photo, payload, similarity, view, same_batch)


def rank(matches, *, n=2, aggregation="max", top_doc=10, thresholds=THRESHOLDS, twins=()):
    return rank_documents(
        matches,
        n_query_photos=n,
        aggregation=aggregation,
        top_doc=top_doc,
        thresholds=thresholds,
        twins=twins,
    )


# Two query photos. Document a shows both of them fairly well, document b one of them very well.
MATCHES = [
    match(0, "a", 0.8, photo=0),
    match(0, "a", 0.6, photo=1),  # the same query photo's second best in a never counts
    match(1, "a", 0.75, photo=1),
    match(0, "b", 0.95),
]


@pytest.mark.parametrize(
    ("aggregation", "scores"),
    [
        ("max", {"b": 0.95, "a": 0.8}),
        ("sum", {"a": 0.8 + 0.75, "b": 0.95}),
        ("mean", {"a": (0.8 + 0.75) / 2, "b": 0.95 / 2}),
    ],
)
def test_a_document_is_scored_as_a_document(aggregation, scores):
    found = rank(MATCHES, aggregation=aggregation)

    assert [document.document_id for document in found] == list(scores)
    assert [document.score for document in found] == pytest.approx(list(scores.values()))


def test_the_mean_counts_query_photos_without_a_match():
    (document,) = rank([match(0, "a", 0.9)], n=3, aggregation="mean")

    assert document.score == pytest.approx(0.3)


def test_matched_photos_are_counted_from_the_threshold_on():
    found = {d.document_id: d.n_matched_photos(Thresholds(match_similarity=0.76)) for d in rank(MATCHES)}

    assert found == {"a": 1, "b": 1}


def test_identical_files_come_first_and_score_as_perfect_copies():
    twins = [Twin("z", "z.tif", None, "drop"), Twin("a", "a.tif", None, "drop")]

    found = rank(MATCHES, twins=twins, aggregation="mean")

    assert [(d.document_id, d.score, d.exact_duplicate) for d in found] == [
        ("a", 1.0, True),
        ("z", 1.0, True),
        ("b", 0.475, False),
    ]


def test_identical_files_are_reported_beyond_the_limit():
    assert (
        len(rank(MATCHES, top_doc=1, twins=[Twin("y", "y.tif", None, "drop"), Twin("z", "z.tif", None, "drop")])) == 2
    )


def test_the_archive_comes_before_the_batch_if_both_match_and_after_it_if_only_the_batch_matches():
    sibling = match(0, "sibling", 0.99, same_batch=True)

    both = rank([match(0, "archived", 0.8), sibling])
    only_sibling = rank([match(0, "archived", 0.4), sibling])

    assert [d.document_id for d in both] == ["archived", "sibling"]
    assert [d.document_id for d in only_sibling] == ["sibling", "archived"]
    assert [d.same_batch for d in both] == [False, True]


def test_the_best_view_of_a_pair_is_kept():
    mirrored = View(0, True)

    (document,) = rank([match(0, "a", 0.3), match(0, "a", 0.9, view=mirrored)])

    assert document.matches[0].view == mirrored


def test_nothing_found_is_an_empty_ranking():
    assert rank([]) == []


scores = st.floats(-1, 1, allow_nan=False)
some_matches = st.lists(
    st.builds(match, st.integers(0, 2), st.sampled_from("abcd"), scores, st.integers(0, 2)), max_size=12
)


@given(some_matches, st.sampled_from(["max", "sum", "mean"]), st.randoms(use_true_random=False))
def test_order_and_repetition_of_matches_do_not_matter(matches, aggregation, random):
    shuffled = matches + matches[: len(matches) // 2]
    random.shuffle(shuffled)

    first, second = (rank(m, n=3, aggregation=aggregation) for m in (matches, shuffled))

    assert [(d.document_id, d.score) for d in first] == [(d.document_id, d.score) for d in second]


@given(some_matches.map(lambda matches: [m for m in matches if m.similarity >= 0]))
def test_max_mean_and_sum_are_ordered_as_their_definitions_say(matches):
    best = {
        name: {d.document_id: d.score for d in rank(matches, n=3, aggregation=name)} for name in ("max", "sum", "mean")
    }

    for document, total in best["sum"].items():
        assert best["mean"][document] == pytest.approx(total / 3)
        assert total <= 3 * best["max"][document] + 1e-9


def test_verified_pairs_are_judged_by_probability_and_not_by_similarity():
    copy = replace(match(0, "cropped copy", 0.4), probability=0.98)
    double = replace(match(0, "look-alike", 0.9), probability=0.1)

    copied, other = rank([copy, double])

    assert (copied.document_id, copied.n_matched_photos(Thresholds())) == ("cropped copy", 1)
    assert (other.document_id, other.n_matched_photos(Thresholds())) == ("look-alike", 0)


def test_the_most_probable_candidates_of_each_photo_are_kept():
    pairs = [
        replace(match(0, "a", 0.9), probability=0.2, promise=0.03),
        replace(match(0, "b", 0.3), probability=0.9, promise=0.01),
        replace(match(0, "c", 0.8), probability=0.1, promise=0.02),
        replace(match(1, "c", 0.8), promise=0.02),
    ]

    kept = best_of_each_photo(pairs, 2)

    assert [(m.query_photo, m.payload.document_id) for m in kept] == [(0, "b"), (0, "a"), (1, "c")]
