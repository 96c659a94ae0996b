import pyarrow.parquet as pq
from upath import UPath

from doc_assets.archive.payloads import read_payloads
from doc_assets.archive.shards import StoredPhoto, read_photos, write_photos
from doc_assets.archive.tables import Provenance
from doc_assets.datatypes import Box, PhotoPayload


def _photo(i, merchant=None):
    payload = PhotoPayload("가맹점", "가맹점.tif", "ab" * 32, "drop-1", 0, i, Box(1, 2, 3 + i, 4), merchant)
    return StoredPhoto(payload, 0.5, b"\xff\xd8" + bytes([i]))


def test_photos_come_back_as_they_were(tmp_path):
    path = UPath(tmp_path / "photos.parquet")
    photos = [_photo(0), _photo(1, "1234567890")]

    assert write_photos(path, Provenance.of("v", []), photos) == 2

    assert list(read_photos(path)) == photos
    assert list(read_payloads(path)) == [photo.payload for photo in photos]


def test_the_picture_column_is_what_other_tools_expect(tmp_path):
    path = UPath(tmp_path / "photos.parquet")
    write_photos(path, Provenance.of("v", []), [_photo(0)])

    image = pq.read_table(str(path)).column("image").to_pylist()[0]

    assert image == {"bytes": b"\xff\xd8\x00", "path": "가맹점/0/0.jpg"}
