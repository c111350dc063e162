"""Data sets, converted to manifests and checked; all later steps read only manifests.

clotho, audiocaps, sound_folder ──► manifest ──► check (audio, captions, leaks) ──► dropping
                                        └──────► data_card
"""

from auricle.data.clip import Clip
from auricle.data.manifest import read_manifest, write_manifest

__all__ = ["Clip", "read_manifest", "write_manifest"]
