"""Folders that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GOLDEN = ROOT / "tests" / "golden" / "published-small"

SHARED = ROOT.parent / "shared"  # beside the checkout: recordings that cannot be given away
SHARED_DATA = SHARED / "data"
