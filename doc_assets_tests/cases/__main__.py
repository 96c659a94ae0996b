"""``python -m doc_assets_tests.cases``: every case and its kind."""

import sys
from pathlib import Path

import pytest

sys.exit(pytest.main([str(Path(__file__).parent), *sys.argv[1:]]))
