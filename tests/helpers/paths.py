"""Folders that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
RECIPES = ROOT / "src" / "auricle" / "recipes"
SCRIPTS = ROOT / "scripts"
GOLDEN = ROOT / "tests" / "golden" / "published-small"

SHARED = ROOT.parent / "shared"  # beside the checkout: recordings that cannot be given away
SHARED_DATA = SHARED / "data"
