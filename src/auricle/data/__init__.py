"""Data sets become manifests, and manifests are checked: everything after reads manifests alone.

clotho, audiocaps, folder ──► manifest ──► check (audio, captions, leaks) ──► cleaning, card
"""

from auricle.data.clip import Clip
from auricle.data.manifest import read_manifest, write_manifest

__all__ = ["Clip", "read_manifest", "write_manifest"]
