"""Model folders: loaded as a stranger's, and made to caption a second of noise.

The name of an input tells the kind of folder it was. A canary, planted where a folder could name
code, tells whether any has run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz.model_damage import EVERYWHERE, ONLY
from tests.fuzz.reader import Reader
from tests.fuzz.small_models import MARK, write_models

KINDS = ("ours", "published", "ensemble", "embedder")
CANARY = "import pathlib\npathlib.Path({mark!r}).touch()\n\nclass Canary:\n    pass\n"


@cache
def _whole() -> Path:
    home = Path(tempfile.mkdtemp(prefix="auricle-fuzz-models-"))
    write_models(home)
    return home


def laid_out(folder: Path, kind: str) -> Path:
    """A whole model folder of this kind, and code that it could name."""
    place = folder / kind
    shutil.copytree(_whole() / kind, place)
    os.environ[MARK] = str(folder / "mark")
    for where in (place, place / "evil"):
        where.mkdir(exist_ok=True)
        (where / "canary.py").write_text(CANARY.format(mark=os.environ[MARK]))
    modules = [{"idx": 0, "name": "0", "path": "", "type": "canary.Canary"}]
    (place / "evil" / "modules.json").write_text(json.dumps(modules))
    return place


def write(random: Random, folder: Path) -> Path:
    kind = random.choice(KINDS)
    place = laid_out(folder, kind)
    for mutation in random.choices(EVERYWHERE + ONLY[kind], k=random.choice((1, 1, 1, 2, 3))):
        with contextlib.suppress(Exception):  # an earlier mutation took or spoiled the file
            mutation(random, place)
    return place


def restored(entry: Path, folder: Path) -> Path:
    """An entry of the corpus is named KIND-what, and holds the files that differ."""
    place = laid_out(folder, entry.name.partition("-")[0])
    shutil.copytree(entry, place, dirs_exist_ok=True)
    return place


def read(path: Path) -> str:
    from auricle.decoding.candidates import find_candidates
    from auricle.decoding.hypothesis import Scorer
    from auricle.hub.ensemble import load_model
    from auricle.pipeline import Captioner

    os.chdir(path)  # of a user in it
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        noise = (np.random.default_rng(0).standard_normal(16_000) / 20).astype(np.float32)
        if path.name == "published":  # its text embedder and fluency filter are not packaged
            bundle = load_model(path).bundles[0]
            assert bundle.tokenizer
            scorer = Scorer("published", bundle.model.decoder, bundle.tokenizer)
            options = replace(bundle.decoding, fluency="own")
            memory = bundle.model.encode([noise])
            return str(find_candidates([scorer], [memory], options)[0][0].text)
        return str(Captioner.from_pretrained(path, device="cpu").caption(noise)[0].caption)
    finally:
        assert not (path.parent / "mark").exists(), "code was executed"


READER = Reader(write, read, named=False, restore=restored)
