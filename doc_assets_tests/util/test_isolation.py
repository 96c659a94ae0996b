import errno
import logging

import pytest
from sqlalchemy.exc import OperationalError

from doc_assets.errors import MissingModelError, ServiceError, StoreBusyError, UnreadableDocumentError
from doc_assets.util.isolation import Failure, attempt, one_line


def failing(error):
    def work():
        raise error

    return work


def test_what_a_unit_makes_comes_back():
    assert attempt("photo a", lambda: 7) == 7


def test_a_defect_is_a_value_with_its_traceback_in_the_log(caplog):
    with caplog.at_level(logging.ERROR):
        found = attempt("photo 1 of document 17", failing(ZeroDivisionError("by zero")))

    assert found == Failure("ZeroDivisionError: by zero")
    assert "photo 1 of document 17" in caplog.text
    assert "Traceback" in caplog.text
    assert "in work" in caplog.text


def test_the_log_has_types_and_frames_of_a_defect_and_nothing_that_it_says(caplog):
    name = "-".join(["a", "merchant.tif"])  # frames show the lines of a program, which hold no names

    def work():
        try:
            failing(FileNotFoundError(errno.ENOENT, "gone", name))()
        except FileNotFoundError as error:
            raise ValueError(f"{name} is gone") from error

    found = attempt("document 17", work)

    assert found == Failure("ValueError: a-merchant.tif is gone")
    assert "FileNotFoundError" in caplog.text
    assert "ValueError" in caplog.text
    assert name not in caplog.text


def test_an_expected_error_keeps_its_code_and_fills_no_log(caplog):
    assert attempt("a.tif", failing(UnreadableDocumentError("E_GONE", "It is gone."))) == Failure(
        "It is gone.", "E_GONE"
    )
    assert caplog.text == ""


@pytest.mark.parametrize(
    "error",
    [
        MissingModelError("no weights"),
        StoreBusyError("held"),
        OperationalError("SELECT", {}, Exception("gone")),
        KeyboardInterrupt(),
        SystemExit(1),
    ],
)
def test_what_concerns_every_unit_is_raised_as_it_is(error):
    with pytest.raises(type(error)):
        attempt("a.tif", failing(error))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EROFS])
def test_a_full_disk_is_a_service_error_and_no_fault_of_the_unit(number):
    with pytest.raises(ServiceError):
        attempt("a.tif", failing(OSError(number, "no")))


def test_a_file_that_cannot_be_read_is_the_units_own_fault():
    assert attempt("a.tif", failing(PermissionError(errno.EACCES, "denied"))).reason.startswith("PermissionError")


def test_one_unit_without_memory_is_its_own_fault_and_three_in_a_row_are_the_machines():
    for _ in range(4):
        assert attempt("huge", failing(MemoryError("8 GiB"))) == Failure("Not enough memory: 8 GiB")
        attempt("small", lambda: 1)
    attempt("huge", failing(MemoryError()))
    attempt("huge", failing(MemoryError()))
    with pytest.raises(ServiceError, match="DOC_ASSETS_DECODE_WORKERS"):
        attempt("huge", failing(MemoryError()))


def test_a_reason_is_one_harmless_line():
    assert one_line("a\nb\x00c\u202ed\ud800e") == "a b c d e"
    assert len(one_line("x" * 9000)) == 500
