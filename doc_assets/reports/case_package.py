"""A case as one zip file that proves itself: written here, verified anywhere.

Members come in the order of their names, with fixed times, and `manifest.json` comes last. It has the size and the
SHA-256 of every other member, so the digest of the manifest alone stands for the whole; the audit keeps it. Whoever
makes another manifest makes another digest.

A package that is verified may come from anywhere: its names are never used as paths, nothing is unpacked, no member
is read beyond the size that the manifest gives it, and the sum of these is limited.
"""

import hashlib
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from upath import UPath

from doc_assets.errors import PackageError

MANIFEST = "manifest.json"
FORMAT = "doc_assets case package 1"
MAX_BYTES = 1 << 30
"""Of all members together, unpacked."""
_MAX_MEMBERS = 2000
_MAX_MANIFEST_BYTES = 4 << 20
_MAX_DIRECTORY_BYTES = 4 << 20
_NAME = re.compile(
    r"(case|result|manifest)\.json|index\.html|style\.css|pairs/[1-9][0-9]{0,3}/(own|other|evidence)\.jpg"
    r"|documents/[1-9][0-9]{0,3}\.(tif|jpg|png|webp|bmp|pdf|bin)"
)
"""Of every member that there can be."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = (1980, 1, 1, 0, 0, 0)  # the same content is the same file, whenever it was exported
_STORED = (".jpg", ".tif")  # compressed by themselves
_CHUNK = 1 << 20
_END = struct.Struct("<4s4H2LH")
_END_MARK, _END64_MARK = b"PK\x05\x06", b"PK\x06\x07"
_END64_BYTES = 20
_ENCRYPTED = 0x1
_SHOWN = 80

Content = bytes | UPath
"""Of a member: its bytes, or the file that holds them."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A package that was written.

    Attributes:
        manifest_sha256: of its manifest, which stands for the whole.
        members: in it, the manifest not counted.
        size_bytes: of them together, unpacked.
    """

    manifest_sha256: str
    members: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    """A package that is whole.

    Attributes:
        manifest_sha256: to compare with the audit's row of the export.
        case: its number.
        is_redacted: whether faces are pixelated and the documents themselves left out.
        exported_by, exported_at: who made it, and when, as the manifest says.
        members: in it, the manifest not counted.
        size_bytes: of them together.
    """

    manifest_sha256: str
    case: int
    is_redacted: bool
    exported_by: str
    exported_at: str
    members: int
    size_bytes: int


# --- writing


def write_package(
    target: IO[bytes], members: Mapping[str, Content], about: Mapping[str, Any], max_bytes: int = MAX_BYTES
) -> Packed:
    """Writes a package.

    Args:
        target: an empty file that can be sought.
        members: content by name.
        about: what the manifest says beside its list: case, who, when, versions.
        max_bytes: of all members together.

    Raises:
        PackageError: if it would be larger.
        ValueError: if a member is called otherwise than members are.
        OSError: if a file cannot be read or ``target`` not be written.
    """
    left, listed = max_bytes, {}
    with zipfile.ZipFile(target, "w", allowZip64=False) as package:
        for name in sorted(members):
            if _NAME.fullmatch(name) is None or name == MANIFEST:
                raise ValueError(f"{name!r} is no name of a member")
            digest, size = hashlib.sha256(), 0
            with package.open(_entry(name), "w") as member:
                for chunk in _chunks(members[name]):
                    size += len(chunk)
                    if size > left:
                        raise PackageError(
                            f"The package would be larger than {max_bytes >> 20} MiB. Export it without the documents, "
                            "or take them from the archive one by one."
                        )
                    digest.update(chunk)
                    member.write(chunk)
            left -= size
            listed[name] = {"bytes": size, "sha256": digest.hexdigest()}
        content = {"format": FORMAT, **about, "members": listed}
        manifest = json.dumps(content, ensure_ascii=True, indent=1).encode("ascii")
        package.writestr(_entry(MANIFEST), manifest)
    return Packed(hashlib.sha256(manifest).hexdigest(), len(listed), max_bytes - left)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, wherever it is written
    entry.external_attr = 0o100600 << 16
    return entry


def _chunks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


# --- verifying


def verify_package(path: Path) -> VerifiedPackage:
    """Reads a package to its last byte and compares it with its manifest.

    Raises:
        PackageError: names the first thing that does not fit.
    """
    try:
        with path.open("rb") as file:
            _require_plain(file)
            with zipfile.ZipFile(file) as package:
                return _verified(package)
    except OSError as error:
        raise PackageError(f"The file cannot be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, UnicodeError) as error:
        raise PackageError(f"The file is no zip file that can be read to its end: {_short(error)}.") from error


def _verified(package: zipfile.ZipFile) -> VerifiedPackage:
    entries = _entries(package.infolist())
    if MANIFEST not in entries:
        raise PackageError(f"{MANIFEST} is missing; the file is no case package.")
    manifest = _read_manifest(package, entries.pop(MANIFEST))
    about = _about(manifest)
    listed = about["members"]
    for name in listed:
        if name not in entries:
            raise PackageError(f"{_short(name)} is missing; the manifest lists it.")
    for name in entries:
        if name not in listed:
            raise PackageError(f"{_short(name)} is not in the manifest; it was added.")
    size = 0
    for name, entry in entries.items():
        wanted = listed[name]["bytes"]
        size += wanted
        if size > MAX_BYTES:
            raise PackageError(f"{name}: the members are larger than {MAX_BYTES >> 20} MiB together.")
        _compare(package, entry, wanted, listed[name]["sha256"])
    digest = hashlib.sha256(manifest).hexdigest()
    who, when = str(about["exported_by"]), str(about["exported_at"])
    return VerifiedPackage(digest, about["case"], about["redacted"], who, when, len(entries), size)


def _require_plain(file: IO[bytes]) -> None:
    """Looks at the end of the file before anything of its directory is read, which could be of any size."""
    size = file.seek(0, 2)
    if size < _END.size:
        raise PackageError("The file is no zip file: it is too short.")
    file.seek(max(0, size - _END.size - _END64_BYTES))
    tail = file.read()
    mark, _, _, here, entries, directory, start, comment = _END.unpack(tail[-_END.size :])
    if mark != _END_MARK or comment:
        raise PackageError("The file does not end as a zip file of this program does: it was cut or something follows.")
    if tail[: -_END.size].startswith(_END64_MARK) or here != entries:
        raise PackageError("The file is a zip file of a kind that this program does not write.")
    if entries > _MAX_MEMBERS + 1 or directory > _MAX_DIRECTORY_BYTES:
        raise PackageError(f"The file lists {entries} members; a package has at most {_MAX_MEMBERS}.")
    if start + directory + _END.size != size:
        raise PackageError("The file holds something that its directory does not list.")
    file.seek(0)


def _entries(found: Iterable[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in found:
        name = entry.orig_filename
        if _NAME.fullmatch(name) is None:
            raise PackageError(f"{_short(name)} is no name of a member of a package.")
        if name in entries:
            raise PackageError(f"{name} is there twice.")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise PackageError(f"{name} is encrypted, or compressed in a way that this program does not write.")
        entries[name] = entry
    return entries


def _read_manifest(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _MAX_MANIFEST_BYTES:
        raise PackageError(f"{MANIFEST} has {entry.file_size} bytes; at most {_MAX_MANIFEST_BYTES} are read.")
    try:
        with package.open(entry) as file:
            content = file.read(_MAX_MANIFEST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise PackageError(f"{MANIFEST} is damaged: {_short(error)}.") from error
    if len(content) > _MAX_MANIFEST_BYTES:
        raise PackageError(f"{MANIFEST} is larger than {_MAX_MANIFEST_BYTES} bytes.")
    return content


def _about(manifest: bytes) -> dict[str, Any]:
    """The manifest's content, of which everything that is used has the right type."""
    try:
        about = json.loads(manifest)
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{MANIFEST} is no JSON: {_short(error)}.") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise PackageError(f"{MANIFEST} is of another format than {FORMAT!r}; a newer program may read it.")
    types = {"case": int, "redacted": bool, "exported_by": str, "exported_at": str, "members": dict}
    for name, kind in types.items():
        if type(about.get(name)) is not kind:
            raise PackageError(f"{MANIFEST}: {name} is missing or no {kind.__name__}.")
    for name, entry in about["members"].items():
        is_right = isinstance(entry, dict) and type(entry.get("bytes")) is int and entry["bytes"] >= 0
        if not is_right or _SHA256.fullmatch(str(entry.get("sha256"))) is None:
            raise PackageError(f"{MANIFEST}: the entry of {_short(name)} has no bytes and sha256.")
    return about


def _compare(package: zipfile.ZipFile, entry: zipfile.ZipInfo, wanted_bytes: int, wanted_sha256: str) -> None:
    name = entry.orig_filename
    if entry.file_size != wanted_bytes:
        raise PackageError(f"{name} has {entry.file_size} bytes; the manifest says {wanted_bytes}.")
    digest, left = hashlib.sha256(), wanted_bytes
    try:
        with package.open(entry) as file:
            while chunk := file.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                digest.update(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise PackageError(f"{name} is damaged: {_short(error)}.") from error
    if left:
        raise PackageError(f"{name} has other bytes than its directory says.")
    if digest.hexdigest() != wanted_sha256:
        raise PackageError(f"{name} has SHA-256 {digest.hexdigest()}; the manifest says {wanted_sha256}.")


def _short(said: object) -> str:
    """What a stranger's file says, not longer than a line."""
    shown = ascii(said) if isinstance(said, str) else ascii(str(said))
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
