"""Folders that tests read."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests" / "golden" / "published-small"

SHARED = ROOT.parent / "shared"  # beside the checkout: recordings that cannot be given away
SHARED_DATA = SHARED / "data"
needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="needs the project's shared data folder"
)
