from datetime import UTC, datetime
from importlib import metadata

from packaging.requirements import Requirement

from doc_assets.ops.doctor.check import Level
from doc_assets.ops.doctor.machine import (
    check_clock,
    check_fonts,
    check_gpu,
    check_memory,
    check_package,
    package_checks,
)
from doc_assets_tests.conftest import NOW


def test_a_clock_of_the_last_century_and_an_unknown_zone_are_red(settings):
    assert check_clock(settings, NOW).level == Level.GREEN
    assert check_clock(settings, datetime(1970, 1, 1, tzinfo=UTC)).level == Level.RED
    unknown = check_clock(settings.model_copy(update={"timezone": "Asia/Atlantis"}), NOW)
    assert unknown.level == Level.RED
    assert "Asia/Atlantis" in unknown.says


def test_a_gpu_that_is_asked_for_and_not_there_is_red(settings):
    import torch

    wanted = check_gpu(settings.model_copy(update={"device": "cuda"}))

    assert wanted.level == (Level.GREEN if torch.cuda.is_available() else Level.RED)
    assert check_gpu(settings).level == Level.GREEN


def test_memory_and_fonts_are_read():
    assert "GiB" in check_memory().says
    assert check_fonts().says == "NanumGothic Regular"


def test_every_required_package_has_a_line():
    names = {check.name.lower() for check in package_checks()}

    assert {"python", "dagster", "torch", "qdrant-edge-py", "sqlalchemy"} <= names
    assert "ruff" not in names


def test_a_missing_package_and_a_wrong_version_are_red():
    assert check_package(Requirement("no-such-package-at-all>=1")).level == Level.RED
    wrong = check_package(Requirement("rich<1"))
    assert wrong.level == Level.RED
    assert metadata.version("rich") in wrong.says
