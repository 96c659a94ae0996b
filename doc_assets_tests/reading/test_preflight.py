import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doc_assets.errors import UnreadableDocumentError
from doc_assets.faults import Fault, FaultCode
from doc_assets.reading.preflight import Directory, Limits, preflight, shown_alone
from doc_assets_tests.reading.tiffs import pillow_tif, raw_tif, scan, tifffile_tif

GOOD = raw_tif({}, {}, {})


def _faults(content, limits=Limits()):  # noqa: B008 - frozen
    structure = preflight(content, limits)
    return [fault.code for fault in structure.faults] + [
        page.code for page in structure.pages if isinstance(page, Fault)
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_page_is_listed_with_its_size(order):
    structure = preflight(raw_tif({}, {256: ("H", 2)}, order=order), Limits())

    assert [(page.width, page.height) for page in structure.pages] == [(4, 3), (2, 3)]
    assert structure.faults == []


def test_big_tiff_is_walked_like_a_small_one():
    content = tifffile_tif(scan(), photometric="rgb", bigtiff=True)

    (page,) = preflight(content, Limits()).pages

    assert (page.width, page.height) == (90, 120)


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"", FaultCode.EMPTY, "empty"),
        (b"hello, I am text", FaultCode.NOT_TIFF, "68 65"),
        (b"II*", FaultCode.NOT_TIFF, "No TIFF header"),
        (b"\xff\xd8\xff\xe0" + bytes(20), FaultCode.NOT_TIFF, "a JPEG"),
        (b"%PDF-1.7" + bytes(20), FaultCode.NOT_TIFF, "a PDF"),
        (struct.pack("<2sHI", b"II", 42, 0), FaultCode.NO_PAGE, "no page"),
        (struct.pack("<2sHI", b"II", 42, 4000), FaultCode.TRUNCATED, "4000"),
    ],
)
def test_what_is_no_tiff_is_refused_by_its_content(content, code, says):
    with pytest.raises(UnreadableDocumentError, match=says) as error:
        preflight(content, Limits())

    assert error.value.code == code


@pytest.mark.parametrize(("loop_to", "n_pages"), [(0, 3), (1, 3), (2, 3)])
def test_a_directory_loop_ends_after_the_first_pass(loop_to, n_pages):
    structure = preflight(raw_tif({}, {}, {}, loop_to=loop_to), Limits())

    assert len(structure.pages) == n_pages
    assert [fault.code for fault in structure.faults] == [FaultCode.LOOP]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({256: ("H", 0)}, FaultCode.BROKEN_DIRECTORY),
        ({257: ("I", 1 << 31)}, FaultCode.BROKEN_DIRECTORY),
        ({258: ("H", 65)}, FaultCode.UNSUPPORTED),
        ({277: ("H", 9)}, FaultCode.UNSUPPORTED),
        ({278: ("H", 0)}, FaultCode.BROKEN_DIRECTORY),
        ({278: ("H", 1)}, FaultCode.BROKEN_DIRECTORY),  # one strip where three are needed
        ({273: ("I", 1 << 30)}, FaultCode.TRUNCATED),
        ({279: ("I", 1 << 20)}, FaultCode.TRUNCATED),
        ({322: ("H", 0), 323: ("H", 0), 324: ("I", 8)}, FaultCode.BROKEN_DIRECTORY),
        ({256: ("I", 30_000), 257: ("I", 30_000)}, FaultCode.PAGE_TOO_LARGE),
    ],
)
def test_a_lying_page_is_named_and_the_others_stay(tags, code):
    structure = preflight(raw_tif({}, tags, {}), Limits())

    first, second, third = structure.pages
    assert isinstance(first, Directory)
    assert isinstance(third, Directory)
    assert (second.code, second.page_index) == (code, 1)


def test_thumbnails_and_masks_are_no_pages():
    structure = preflight(raw_tif({}, {254: ("I", 1)}, {254: ("I", 4)}, {254: ("I", 2)}), Limits())

    assert len(structure.pages) == 2


def test_too_many_pages_or_pixels_refuse_the_document():
    with pytest.raises(UnreadableDocumentError, match="MAX_PAGES"):
        preflight(GOOD, Limits(max_pages=2))
    with pytest.raises(UnreadableDocumentError, match="MAX_DOCUMENT_PX"):
        preflight(GOOD, Limits(max_document_px=30))
    assert _faults(GOOD, Limits(max_pages=3, max_document_px=36)) == []


def test_pages_after_a_broken_directory_are_reported_as_lost():
    content = bytearray(GOOD)
    first = preflight(GOOD, Limits()).pages[0]
    struct.pack_into("<I", content, first.next_pointer_at, len(content) + 5)

    structure = preflight(bytes(content), Limits())

    assert len(structure.pages) == 1
    assert structure.faults[0].code == FaultCode.TRUNCATED
    assert "Later pages may be missing" in structure.faults[0].message


def test_a_page_shown_alone_is_the_only_one_and_the_document_is_restored():
    content = bytearray(pillow_tif(scan(seed=1), scan(60, 80, seed=2)))
    before = bytes(content)
    structure = preflight(content, Limits())
    sizes = []
    for page in structure.pages:
        with shown_alone(content, structure, page):
            sizes.append([(p.width, p.height) for p in preflight(content, Limits()).pages])

    assert sizes == [[(90, 120)], [(80, 60)]]
    assert bytes(content) == before


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_damage_raises_anything_but_our_error(data):
    content = bytearray(pillow_tif(scan(40, 30), scan(30, 40), compression="tiff_lzw"))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])

    try:
        structure = preflight(cut, Limits(max_page_px=10_000_000))
    except UnreadableDocumentError as error:
        assert FaultCode(error.code)
    else:
        assert structure.pages
