"""Case packages: the same content is the same file, and whatever is changed in one is named."""

import io
import json
import struct
import zipfile

import pytest
from upath import UPath

from doc_assets.errors import PackageError
from doc_assets.reports import case_package
from doc_assets.reports.case_package import MANIFEST, verify_package, write_package
from doc_assets.util.files import sha256_of
from doc_assets_tests.hostile import NAMES
from doc_assets_tests.program import Program

ABOUT = {"case": 7, "redacted": True, "exported_by": "kim", "exported_at": "2026-11-28T05:00:00+00:00"}
MEMBERS = {"index.html": b"<p>" * 500, "case.json": b"{}", "pairs/1/own.jpg": b"\xff\xd8" + bytes(range(256)) * 20}


def _package(members=None, **about):
    target = io.BytesIO()
    packed = write_package(target, MEMBERS if members is None else members, ABOUT | about)
    return target.getvalue(), packed


def _written(tmp_path, content):
    path = tmp_path / "package.zip"
    path.write_bytes(content)
    return path


def _rebuilt(content, change=lambda name, data: data, drop=(), add=(), about=lambda manifest: manifest):
    """The package with members changed as somebody would who has a zip program."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == MANIFEST:
                data = json.dumps(about(json.loads(data))).encode()
            if entry.filename not in drop:
                new.writestr(entry, change(entry.filename, data))
        for name, data in add:
            new.writestr(name, data)
    return target.getvalue()


def test_a_package_is_whole_and_says_what_it_is(tmp_path):
    content, packed = _package()
    found = verify_package(_written(tmp_path, content))

    assert (found.case, found.is_redacted, found.exported_by, found.exported_at) == (
        7,
        True,
        "kim",
        ABOUT["exported_at"],
    )
    assert (
        (found.members, found.size_bytes) == (3, sum(map(len, MEMBERS.values()))) == (packed.members, packed.size_bytes)
    )
    assert found.manifest_sha256 == packed.manifest_sha256


def test_the_same_content_is_the_same_file_in_the_order_of_names(tmp_path):
    one, two = _package()[0], _package(dict(reversed(MEMBERS.items())))[0]
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as package:
        assert package.namelist() == ["case.json", "index.html", "pairs/1/own.jpg", MANIFEST]


def test_a_file_is_taken_in_pieces(tmp_path):
    (tmp_path / "big.tif").write_bytes(b"II*\0" * 700_000)
    content, packed = _package({"documents/1.tif": UPath(tmp_path / "big.tif")})
    assert packed.size_bytes == 2_800_000
    assert verify_package(_written(tmp_path, content)).members == 1


def test_a_package_that_would_be_too_large_is_none():
    with pytest.raises(PackageError, match="larger than 0 MiB"):
        write_package(io.BytesIO(), MEMBERS, ABOUT, max_bytes=3000)


@pytest.mark.parametrize("name", [*NAMES, MANIFEST, "pairs/1/../own.jpg", "pairs/0/own.jpg", "case.json/", "CASE.json"])
def test_no_member_is_called_what_could_be_a_path_elsewhere(name):
    with pytest.raises(ValueError, match="no name of a member"):
        write_package(io.BytesIO(), {name: b""}, ABOUT)


# --- changed by somebody


def _refused(tmp_path, content, says):
    with pytest.raises(PackageError, match=says):
        verify_package(_written(tmp_path, content))


def test_a_changed_member_is_named(tmp_path):
    changed = _rebuilt(_package()[0], lambda name, data: data[:-1] + b"!" if name == "index.html" else data)
    _refused(tmp_path, changed, r"^index\.html has SHA-256 [0-9a-f]{64}; the manifest says")


def test_a_member_of_another_length_is_named(tmp_path):
    changed = _rebuilt(_package()[0], lambda name, data: data + b" " if name == "case.json" else data)
    _refused(tmp_path, changed, r"^case\.json has 3 bytes; the manifest says 2")


def test_the_first_of_several_faults_is_named(tmp_path):
    changed = _rebuilt(_package()[0], lambda name, data: data if name == MANIFEST else b"x" * len(data))
    _refused(tmp_path, changed, r"^case\.json has SHA-256")


def test_what_is_missing_or_was_added_is_named(tmp_path):
    content = _package()[0]
    _refused(tmp_path, _rebuilt(content, drop=["pairs/1/own.jpg"]), "own.jpg' is missing")
    _refused(tmp_path, _rebuilt(content, add=[("pairs/2/own.jpg", b"x")]), "own.jpg' is not in the manifest")
    _refused(tmp_path, _rebuilt(content, drop=[MANIFEST]), "manifest.json is missing")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_named(tmp_path):
    _refused(tmp_path, _rebuilt(_package()[0], add=[("case.json", b"[]")]), "case.json is there twice")


@pytest.mark.parametrize("name", [name for name in NAMES if name and "\0" not in name and len(name) < 300])
def test_hostile_names_of_members_are_refused_and_shown_harmlessly(tmp_path, name):
    with pytest.raises(PackageError) as raised:
        verify_package(_written(tmp_path, _rebuilt(_package()[0], add=[(name, b"x")])))
    assert "no name of a member" in str(raised.value) or "not in the manifest" in str(raised.value)
    assert str(raised.value).isascii()
    assert str(raised.value).isprintable()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["package.zip"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m | {"format": "x"}, "another format"),
        (lambda m: [], "another format"),
        (lambda m: m | {"case": "7"}, "case is missing or no int"),
        (lambda m: m | {"case": True}, "case is missing or no int"),
        (lambda m: m | {"redacted": 1}, "redacted is missing"),
        (lambda m: m | {"members": []}, "members is missing"),
        (lambda m: m | {"members": {"case.json": 5}}, "entry of 'case.json'"),
        (lambda m: m | {"members": {"case.json": {"bytes": -1, "sha256": "0" * 64}}}, "entry of 'case.json'"),
        (lambda m: m | {"members": {"case.json": {"bytes": 2, "sha256": "0" * 63}}}, "entry of 'case.json'"),
        (lambda m: m | {"members": m["members"] | {"x" * 500: m["members"]["case.json"]}}, r"^'x{70,}.* is missing"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_told(tmp_path, change, says):
    _refused(tmp_path, _rebuilt(_package()[0], about=change), says)


# --- files made to do harm


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("case.json", bytes(200 << 20))
        listed = {"case.json": {"bytes": 2, "sha256": "0" * 64}}
        package.writestr(MANIFEST, json.dumps({"format": case_package.FORMAT, **ABOUT, "members": listed}))
    _refused(tmp_path, bomb.getvalue(), "case.json has 209715200 bytes; the manifest says 2")


def test_members_together_are_bounded(tmp_path, monkeypatch):
    content = _package()[0]
    monkeypatch.setattr(case_package, "MAX_BYTES", 1000)
    _refused(tmp_path, content, "larger than 0 MiB together")


def test_a_manifest_that_unpacks_to_much_is_not_read(tmp_path):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(MANIFEST, b" " * (50 << 20))
    _refused(tmp_path, bomb.getvalue(), "at most 4194304 are read")


def test_a_member_whose_directory_lies_about_its_size_is_named(tmp_path):
    lying = io.BytesIO()
    with zipfile.ZipFile(lying, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("case.json", b" " * 5000)
        listed = {"case.json": {"bytes": 10, "sha256": sha256_of(b" " * 10)}}
        package.writestr(MANIFEST, json.dumps({"format": case_package.FORMAT, **ABOUT, "members": listed}))
    content = bytearray(lying.getvalue())
    at = content.index(b"PK\x01\x02")  # of the first entry
    assert struct.unpack_from("<L", content, at + 24) == (5000,)
    struct.pack_into("<L", content, at + 24, 10)
    _refused(tmp_path, bytes(content), "^case.json is damaged")


@pytest.mark.parametrize("cut", [0, 1, 21, 22, 100, -1, -30])
def test_a_file_that_was_cut_is_told(tmp_path, cut):
    _refused(tmp_path, _package()[0][:cut], "zip file")


@pytest.mark.parametrize("more", [(b"x", b""), (b"", b"x"), (b"PK\x05\x06" + bytes(18), b"")])
def test_a_file_with_something_before_or_behind_is_told(tmp_path, more):
    _refused(tmp_path, more[0] + _package()[0] + more[1], "zip file|does not list")


def test_a_directory_of_many_members_is_not_read(tmp_path):
    content = bytearray(_package()[0])
    struct.pack_into("<HH", content, len(content) - 22 + 8, 60_000, 60_000)
    _refused(tmp_path, bytes(content), "lists 60000 members")


def test_every_flipped_byte_of_a_small_package_is_found_or_harmless(tmp_path):
    content, packed = _package({"case.json": b"{}"})
    missed = []
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0x20
        try:
            found = verify_package(_written(tmp_path, bytes(changed)))
        except PackageError:
            continue
        if found.manifest_sha256 != packed.manifest_sha256:
            missed.append(at)
    assert missed == []  # what is not found (a time, a right) changes no byte of a member


# --- the command


def test_the_command_says_whole_or_the_first_fault(tmp_path):
    program = Program.at_home(tmp_path)
    content, packed = _package()
    path = _written(tmp_path, content)

    said = program.done("verify-package", path)
    assert "Whole: case 7, 3 members" in said
    assert packed.manifest_sha256 in said
    assert program.json("verify-package", path)["case"] == 7
    assert not (tmp_path / "home").exists()  # needs no home and makes none

    path.write_bytes(_rebuilt(content, drop=["case.json"]))
    ended = program("verify-package", path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "'case.json' is missing" in ended.stderr
