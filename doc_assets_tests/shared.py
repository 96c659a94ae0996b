"""The one place that knows where test material outside the project lies."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TEST_MATERIAL_DIR", PROJECT.parent / "shared"))
"""Real photographs and public TIFFs; a checkout without them tests on what the project draws itself."""

needs_shared = pytest.mark.skipif(not (SHARED / "tifs").is_dir(), reason=f"no test material in {SHARED}")
needs_cases = pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason=f"no cases in {SHARED}")
