"""Kill -9 at any moment: the next run completes what an undisturbed run would have made."""

import os
import random
import shutil
import signal
import subprocess
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.archive.vectors.embedded import EmbeddedStore
from doc_assets.lab.corpus import draw_corpus, plan_corpus
from doc_assets.util.files import LEFTOVER_PATTERN
from doc_assets_tests.program import PROGRAM, outside_environment

pytestmark = pytest.mark.slow

KILLS = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fourteen documents in seven chunks, three of them unreadable."""
    root = tmp_path_factory.mktemp("kill")
    draw_corpus(root, plan_corpus(11, [], seed=31), workers=2)
    for i, content in enumerate((b"", b"II*\0", b"%PDF-1.7 nothing")):
        (root / "archive" / f"bad{i}.tif").write_bytes(content)
    return root / "archive"


def _start(folder, home):
    env = outside_environment()
    env |= {
        "DOC_ASSETS_HOME": str(home),
        "DOC_ASSETS_LOG_DIR": str(home / "log"),
        "DOC_ASSETS_CHUNK_DOCUMENTS": "2",
    }
    return subprocess.Popen(
        [PROGRAM, "build-image-index", "--folder", str(folder)],
        env=env,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _killed_after(moment, folder, home):
    """Whether a run was killed after so many seconds, or less if the machine became quicker and it ended before."""
    for _ in range(4):
        shutil.rmtree(home, ignore_errors=True)
        process = _start(folder, home)
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True
        moment *= 0.7
    return False


def _finish(process):
    """Exit code and output; a process that hangs is ended with all its children, so that no test outlives itself."""
    try:
        output, _ = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process.returncode, output


def _state(home):
    """Everything an ingestion leaves, in comparable form."""
    shards, embedded = {}, {}
    for kind in ("photos", "embeddings", "local_features"):
        for path in sorted((home / kind).rglob("*.parquet")):
            table = pq.read_table(path)
            if kind == "embeddings":  # equal but for the last digits, which threads of the algebra library decide
                embedded[path.name] = np.array(table["vector"].to_pylist())
                table = table.drop_columns(["vector"])
            shards[str(path.relative_to(home))] = (table.schema.metadata, table.to_pylist())
    with Ledger.open(f"sqlite:///{home / 'ledger.sqlite'}") as ledger:
        (drop,) = ledger.intake.drop_keys()
        rows = ledger.documents.of_chunk(drop, range(1000))
    with EmbeddedStore(home / "qdrant") as store:
        (collection,) = store.collections()
        points = dict(store.scan(collection))
        vectors = {
            str(hit.point_id): round(hit.similarity, 4)
            for hits in store.search(collection, np.eye(1, store.dim(collection), dtype=np.float32), 1000, exact=True)
            for hit in hits
        }
    staged = sorted(str(path.relative_to(home)) for path in (home / "documents").rglob("*.tif"))
    leftovers = [
        path
        for kind in ("documents", "photos", "embeddings", "local_features")
        for path in (home / kind).rglob(LEFTOVER_PATTERN)
    ]
    return {
        "shards": shards,
        "embedded": embedded,
        "rows": rows,
        "points": points,
        "vectors": vectors,
        "staged": staged,
        "left": leftovers,
    }


def test_a_run_killed_at_five_moments_ends_as_an_undisturbed_one(folder, tmp_path):
    began = time.monotonic()
    code, output = _finish(_start(folder, tmp_path / "calm"))
    took = time.monotonic() - began
    assert code == 1, output  # three documents are rejected
    assert "11 ok, 3 rejected" in output

    calm = _state(tmp_path / "calm")
    calm_embedded = calm.pop("embedded")
    assert len(calm["points"]) > 15

    chance = random.Random(2026)
    killed = 0
    for i in range(KILLS):  # one moment in each fifth of the run's second two thirds; before, nothing is written
        moment = took * (0.33 + 0.66 * (i + chance.random()) / KILLS)
        home = tmp_path / f"killed-{i}"
        killed += _killed_after(moment, folder, home)
        code, output = _finish(_start(folder, home))
        assert code == 1, output
        found = _state(home)
        embedded = found.pop("embedded")
        assert embedded.keys() == calm_embedded.keys()
        for name, vectors in calm_embedded.items():
            np.testing.assert_allclose(embedded[name], vectors, atol=1e-6)
        for part, expected in calm.items():
            assert found[part] == expected, (moment, part)
    assert killed == KILLS


def test_a_search_is_possible_right_after_a_kill(folder, tmp_path):
    process = _start(folder, tmp_path / "home")
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=4)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    env = {**os.environ, "DOC_ASSETS_HOME": str(tmp_path / "home"), "DOC_ASSETS_LOG_DIR": str(tmp_path / "log")}

    done = subprocess.run([PROGRAM, "status"], env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
