import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from doc_assets.archive.ledger.json_codec import as_json, from_json
from doc_assets.archive.ledger.results import (
    ChangedFinding,
    EarlierFields,
    Finding,
    FoundDocument,
    FoundDocuments,
    PhotoPair,
    SearchFault,
)
from doc_assets.archive.ledger.search_settings import SearchSettings

PAIR = """{"query_page": 2, "query_photo": 0, "query_box": [170, 500, 1482, 1500], "page": 1, "photo": 0,
 "box": [138, 213, 1478, 1125], "matched": true, "similarity": 0.98319, "quarter_turns": 0, "mirrored": false,
 "probability": 0.999219, "inliers": 213,
 "overlap": {"query_share": 0.9975, "share": 0.9956, "query_area": [[0.394, 0.0], [0.9981, 0.0], [1.0, 0.5683]],
  "area": [[0.3957, 0.0], [1.0, 0.0051], [1.0, 0.5713]], "agreement": 0.9978},
 "likeness": {"same_photograph": 0.999219, "other_shot": 0.00076, "shared_thing": 2.1e-05,
  "traits": {"residual": 0.0119, "moved": 0.0007, "agreement": 0.9926, "detail": 0.8765, "grain": 0.7725,
   "border": 0.998, "weak_side": 1.0, "whole": 0.9973, "light": 0.998, "perspective": 0.0013}},
 "looks": [{"kind": "photograph", "flatness": 0.2, "measures": {"code": 0.0}},
  {"kind": "graphics", "flatness": 0.9, "measures": {"code": 0.0}}],
 "known_form": false,
 "changes": {"mirrored": false, "quarter_turns": 0, "tilt_deg": -0.331, "scale": 1.037, "kept_share": 0.996,
  "own_share": 0.998, "contrast": 0.887, "brightness": 44.696},
 "transform": [[1.00064594, -0.00462511, 0.00152579], [0.00842957, 0.99589161, -0.00332085],
  [0.00024677, -0.00123987, 1.00000129]],
 "lines": [[0.3224, 0.6533, 0.3172, 0.6527]], "kind": "same_photograph"}"""
NOT_COMPARED = """{"query_page": 1, "query_photo": 1, "query_box": [1, 2, 3, 4], "page": 1, "photo": 0,
 "box": [5, 6, 7, 8], "matched": false, "similarity": 0.4, "quarter_turns": 3, "mirrored": true, "probability": null,
 "inliers": null}"""
FOUND = f"""{{"document": "N2023_6.tif", "document_id": "N2023_6", "merchant_id": "1000000006",
 "document_date": "2023-09-24", "date_source": "name", "drop": "bulk-000001", "relation": "archive", "score": 0.98319,
 "exact_duplicate": false, "same_batch": false, "matches": [{PAIR}, {NOT_COMPARED}], "same_merchant": false,
 "counts": true, "n_matched_photos": 1, "common_name": null}}"""
FINDING = """{"photo": 0, "page": 2, "kind": "reuse", "counts": true, "probability": 0.999219,
 "first_use": {"document": "N2023_6.tif", "merchant_id": "1000000006", "document_date": "2023-09-24",
  "date_source": "name"}, "found_in": "N2023_6.tif", "n_documents": 1, "n_merchants": 1}"""
LEGACY = """{"fraud_doc_probability": "High", "threshold_match_count": 1, "image_authenticity": {"a.jpg": "unknown"}}"""
FAULT = """{"stage": "pair", "reason": "broken", "query_page": 1, "query_photo": 0, "document": "a.tif", "photo": 3}"""
CHANGED = """{"document": "b.tif", "drop": "bulk-000001", "was": null, "now": "reuse", "risk_was": 0.0, "risk": 0.9,
 "flagged": true}"""
SETTINGS = """{"top_k": 10, "top_doc": 7, "aggregation": "max", "include_batch": false, "match_probability": 0.5,
 "match_similarity": 0.7, "flag_risk": 0.5, "count_other_shots": false, "form_picture_merchants": 3,
 "similar_doc_flag_threshold": 0.8, "non_authentic_image_classes": ["moire"], "use_words": true,
 "exclude_own_merchant": false, "verify": true, "privacy_mode": false, "output_folder": "", "labels": 2}"""


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (FoundDocument, FOUND),
        (Finding, FINDING),
        (EarlierFields, LEGACY),
        (EarlierFields, '{"image_authenticity": {}}'),
        (EarlierFields, "{}"),
        (SearchFault, FAULT),
        (ChangedFinding, CHANGED),
        (SearchSettings, SETTINGS),
    ],
)
def test_json_on_disk_is_read_and_written_key_for_key(kind, stored):
    entry = json.loads(stored)

    written = as_json(from_json(kind, entry))

    assert written == entry
    if kind is not SearchSettings:  # its keys are read by name alone
        assert json.dumps(written) == json.dumps(entry)


def test_results_of_versions_that_wrote_neither_ids_nor_dates_are_read():
    entry = {name: value for name, value in json.loads(FOUND).items() if name not in {"document_id", "document_date"}}
    del entry["date_source"], entry["common_name"]
    entry["written_by_a_later_version"] = 1

    (found,) = from_json(FoundDocuments, [entry | {"document": "folder/a.b.TIF", "matches": []}])

    assert (found.document_id, found.document_date, found.date_source) == ("a.b", None, None)
    assert (found.matches, found.common_name, found.counts) == ((), None, True)


def test_what_is_no_result_is_refused():
    with pytest.raises(ValidationError, match="relation"):
        from_json(FoundDocument, json.loads(FOUND) | {"relation": "somewhere"})


FINITE = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, FINITE)


@settings(max_examples=50, deadline=None)
@given(
    st.one_of(
        *(st.from_type(kind) for kind in (PhotoPair, Finding, EarlierFields, SearchFault, ChangedFinding)),
        st.lists(st.from_type(PhotoPair), max_size=2).flatmap(
            lambda pairs: st.builds(FoundDocument, matches=st.just(tuple(pairs)))
        ),
        st.builds(SearchSettings, top_k=st.integers(1, 99), top_doc=st.integers(1, 99)),
    )
)
def test_every_value_comes_back_from_its_json(value):
    assert from_json(type(value), json.loads(json.dumps(as_json(value)))) == value
