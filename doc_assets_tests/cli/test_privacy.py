"""A private search leaves no picture of its query anywhere; the same look finds them without privacy mode."""

import base64
import io
import json
import re
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from doc_assets.lab.corpus import draw_corpus, draw_document, plan_corpus
from doc_assets_tests.program import in_process, outside_environment
from doc_assets_tests.shared import PROJECT

pytestmark = pytest.mark.whole

STARTS = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|II\*\0|MM\0\*")
BASE64 = re.compile(rb"[A-Za-z0-9+/]{400,}={0,2}")
SIDE = 24
ALIKE = 0.85


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """An archive of four documents and one honest query with a mirrored photo of the archive among its own."""
    folder = tmp_path_factory.mktemp("privacy")
    draw_corpus(folder, plan_corpus(4, ["mirrored", None], seed=12), workers=2)
    return folder


def _environment(home, temporary):
    kept = outside_environment()
    own = {"DOC_ASSETS_HOME": str(home), "DOC_ASSETS_LOG_DIR": str(home / "log"), "TMPDIR": str(temporary)}
    return {**kept, **own}


def _run(environment, *arguments):
    done = in_process(arguments, PROJECT, environment)
    assert done.returncode == 0, done.stdout + done.stderr


def _signature(picture):
    small = np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), float).ravel()
    return (small - small.mean()) / max(small.std(), 1e-6)


def _pictures(content):
    """Every picture that starts anywhere in these bytes, as it is or in base64."""
    for found in BASE64.finditer(content):
        text = found.group()
        yield from _pictures(base64.b64decode(text[: len(text) // 4 * 4]))
    for found in STARTS.finditer(content):
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content[found.start() :])) as picture:
                picture.load()
                yield picture.copy()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue


def _content(path):
    """The bytes of a file; of a Parquet file what is in its columns, which are compressed."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    return _all_bytes(pq.read_table(path).to_pylist())


def _all_bytes(value):
    """All bytes in nested rows, one after the other."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, list) or not isinstance(value, str | int | float | bool | type(None)):
        return b"".join(_all_bytes(part) for part in value)
    return b""


def _traces(folders, secrets):
    """Files below the folders that hold a picture like one of the secret ones, in any of its turns and mirrors."""
    wanted = np.stack([_signature(turn) for secret in secrets for turn in _turns(secret)])
    traces = set()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = _content(path)
                if any((wanted @ _signature(found) / SIDE**2).max() > ALIKE for found in _pictures(content)):
                    traces.add(path)
    return traces


def _turns(picture):
    for mirrored in (picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
        for turns in range(4):
            yield mirrored.rotate(90 * turns, expand=True)


def _secrets(documents):
    """Pages and own photos of the queries: what must not be found. The re-used photo is in the archive anyway."""
    plans = plan_corpus(4, ["mirrored", None], seed=12)
    pages, photos = [], []
    truth = json.loads((documents / "truth.json").read_text(encoding="utf-8"))["photos"]
    for plan in plans:
        if plan.folder != "incoming":
            continue
        drawn, _ = draw_document(plan, _reused(plans, plan))
        for number, photo in enumerate(truth[plan.name]):
            if number != plan.reused_photo or plan.reuse is None:
                left, top, right, bottom = photo["box"]
                page = Image.fromarray(drawn[photo["page_index"]])
                photos.append(page.crop((left, top, right, bottom)))
                pages.append(page)
    return photos + pages


def _reused(plans, plan):
    return next((p for p in plans if plan.reuse and p.name == plan.reuse.source_document), None)


@pytest.fixture(scope="module")
def home(documents, tmp_path_factory):
    folder, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("tmp")
    environment = _environment(folder, temporary)
    _run(environment, "build-image-index", "--folder", documents / "archive")
    return folder, temporary, environment


@pytest.mark.parametrize("private", [True, False])
def test_nothing_of_a_private_query_is_left_anywhere(home, documents, tmp_path, private):
    folder, temporary, environment = home
    flag = "--privacy-mode" if private else "--no-privacy-mode"

    _run(environment, "search-doc", "--folder", documents / "incoming", "--output-folder", tmp_path / "out", flag)

    traces = _traces([folder, temporary, tmp_path / "out"], _secrets(documents))
    if private:
        assert traces == set()
    else:
        assert {path.parent.name for path in traces} == {"query_photos"}
