import pytest

from doc_assets_tests.program import Program


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Program:
    """The program as an operator runs it, with a home of the module's own."""
    return Program.at_home(tmp_path_factory.mktemp("operator"))
