"""Model folders, damaged or hostile: none may end the program, run code, hang or fill memory.

    python benchmarks/hostile/models.py [--count 500] [--seed 0] [--only SEED]

Each case is one of four small models (our format, the published one, an ensemble, one with its own
text embedder) after one to three mutations. A process of its own loads it and captions a second of
noise, with 10 s of processor time and 1 GB to do so. A line names every case that ends otherwise
than in a caption or an `AuricleError`; a canary, planted where a folder could name code, tells
whether any has run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pickle
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
for _variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):  # threads do not survive the forks
    os.environ.setdefault(_variable, "1")

import numpy as np  # noqa: E402

LIMIT_S = 10  # of processor time, so that a busy machine makes no hang
ASLEEP_S = 60  # of waiting
GROWTH = 1 << 30  # bytes
KINDS = ("ours", "published", "ensemble", "embedder")
OUTCOMES = ("caption", "AuricleError", "other exception", "hang", "memory", "code executed")
FAILURES = OUTCOMES[2:]
WORDS = "a dog barks while rain falls and wind blows as people talk in the distance".split()
CANARY = "import pathlib\npathlib.Path({mark!r}).touch()\n\nclass Canary:\n    pass\n"
MARK = "AURICLE_CANARY"  # a variable: the file that code from a model folder makes

Mutation = Callable[[random.Random, Path], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--only", type=int, metavar="SEED", help="one case, with its traceback")
    options = parser.parse_args()
    first, count = (options.seed, options.count) if options.only is None else (options.only, 1)
    counts: Counter[str] = Counter()
    for seed, outcome, detail in run(first, count):
        counts[outcome] += 1
        if outcome in FAILURES or options.only is not None:
            print(f"{seed:>6} {outcome}: {detail if options.only is not None else last(detail)}")
    print(" | ".join(f"{name} {counts[name]}" for name in OUTCOMES))
    raise SystemExit(any(counts[name] for name in FAILURES))


def last(detail: str) -> str:
    return (detail.strip().splitlines() or [""])[-1][:200]


def run(first: int, count: int) -> Iterator[tuple[int, str, str]]:
    """(seed, outcome, detail) of each case."""
    import sentence_transformers  # noqa: F401  once, before the forks

    import auricle.pipeline  # noqa: F401

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        in_child(lambda: write_models(place / "models"), 120)
        for seed in range(first, first + count):
            folder, mark = place / "case", place / "mark"
            shutil.rmtree(folder, ignore_errors=True)
            kind, mutations = prepare(seed, place / "models", folder, mark)
            outcome, detail = in_child(lambda f=folder, k=kind: caption(f, k), LIMIT_S)
            if mark.exists():
                outcome = "code executed"
                mark.unlink()
            yield seed, outcome, f"{kind}, {', '.join(mutations)}\n{detail}"


def prepare(seed: int, models: Path, folder: Path, mark: Path) -> tuple[str, list[str]]:
    """The kind of case ``seed`` and its mutations' names; its folder is written."""
    rng = random.Random(seed)
    kind = rng.choice(KINDS)
    shutil.copytree(models / kind, folder)
    os.environ[MARK] = str(mark)
    for where in (folder, folder / "evil"):
        where.mkdir(exist_ok=True)
        (where / "canary.py").write_text(CANARY.format(mark=str(mark)))
    modules = [{"idx": 0, "name": "0", "path": "", "type": "canary.Canary"}]
    (folder / "evil" / "modules.json").write_text(json.dumps(modules))
    chosen = rng.choices(EVERYWHERE + ONLY[kind], k=rng.choice((1, 1, 1, 2, 3)))
    for mutation in chosen:
        with contextlib.suppress(Exception):  # an earlier mutation took or spoiled the file
            mutation(rng, folder)
    return kind, [mutation.__name__ for mutation in chosen]


# A process of its own


def in_child(work: Callable[[], object], limit_s: int) -> tuple[str, str]:
    """(outcome, detail) of ``work`` in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
        outcome, detail = judged(work)
        os.write(writing, json.dumps((outcome, detail[-5000:])).encode())
        os._exit(0)
    os.close(writing)
    end = time.monotonic() + ASLEEP_S
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(child, signal.SIGXCPU)
        time.sleep(0.005)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    if answer:
        return tuple(json.loads(answer))
    late = os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) in (signal.SIGXCPU, signal.SIGKILL)
    return ("hang", f"over {limit_s} s") if late else ("other exception", "the process died")


def judged(work: Callable[[], object]) -> tuple[str, str]:
    from auricle.errors import AuricleError

    before = status("VmRSS")
    room = status("VmSize") + 2 * GROWTH  # mapped files count here, so that this is only a stop
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    try:
        outcome, detail = "caption", str(work())
    except AuricleError as error:
        detail = f"{type(error).__name__}: {error}"
        outcome = "AuricleError" if "\n" not in str(error) else "other exception"
    except MemoryError:
        return "memory", "MemoryError"
    except BaseException as error:  # panics of Rust are no Exceptions
        return "other exception", f"{traceback.format_exc()[-3000:]}\n{repr(error)[:1000]}"
    grown = status("VmHWM") - before
    return (
        ("memory", f"grew by {grown >> 20} MB; {detail}") if grown > GROWTH else (outcome, detail)
    )


def status(name: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise KeyError(name)


def caption(folder: Path, kind: str) -> str:
    """The caption of a second of noise; its working directory is the folder, as of a user in it."""
    from auricle.decoding.candidates import find_candidates
    from auricle.decoding.hypothesis import Scorer
    from auricle.hub.ensemble import load_model
    from auricle.pipeline import Captioner

    os.chdir(folder)
    sys.path.insert(0, "")
    noise = (np.random.default_rng(0).standard_normal(16_000) / 20).astype(np.float32)
    if kind == "published":  # its text embedder and fluency filter are not on this machine
        bundle = load_model(folder).bundles[0]
        assert bundle.tokenizer
        memory = bundle.model.encode([noise])
        scorer = Scorer("published", bundle.model.decoder, bundle.tokenizer)
        options = replace(bundle.decoding, fluency="own")
        return json.dumps(find_candidates([scorer], [memory], options)[0][0].text)
    found = Captioner.from_pretrained(folder, device="cpu").caption(noise)[0]
    return json.dumps(found.caption)


# The models before mutation


def write_models(place: Path) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models

    from auricle.decoding.options import DecodeOptions
    from auricle.hub.ensemble import Ensemble, EnsembleConfig, Member, save_ensemble
    from auricle.hub.folder import Bundle, EmbedderSpec, save_bundle
    from auricle.model.captioner import AudioCaptioner
    from auricle.model.config import debug_config
    from auricle.text.tokenizer import SPECIAL, CaptionTokenizer

    tokenizer = CaptionTokenizer.train([" ".join(WORDS)], 300)
    options = DecodeOptions(candidates=4, max_length=12, fluency="own")

    def bundle(name: str, embedder: str = "all-MiniLM-L6-v2", dim: int = 384) -> Bundle:
        torch.manual_seed(0)
        model = AudioCaptioner(debug_config(tokenizer.vocab_size, dim)).eval()
        return Bundle(name, model, tokenizer, EmbedderSpec(embedder, ""), options, f"# {name}\n")

    save_bundle(place / "ours", bundle("ours"))
    members = (Member("one"), Member("two"))
    config = EnsembleConfig(members, "candidates", options)
    both = Ensemble("ensemble", config, (bundle("one"), bundle("two")))
    save_ensemble(place / "ensemble", both)
    write_embedder(place / "embedder" / "text_embedder")
    save_bundle(place / "embedder", bundle("embedder", "x/y", 24))
    path = place / "embedder" / "config.json"
    path.write_text(path.read_text().replace('"x/y"', '"./text_embedder"'))
    for folder in (place / "ours", place / "ensemble", place / "embedder"):
        (folder / "calibration.json").write_text(json.dumps(CALIBRATION))
    golden = Path(__file__).parents[2] / "tests" / "golden" / "published-small"
    (place / "published").mkdir()
    for name in ("model", "conformer", "beats"):
        shutil.copy(golden / f"{name}_config.json", place / "published")
    shutil.copy(golden / "state_dict.safetensors", place / "published" / "model.safetensors")
    tokens = [*SPECIAL, *sorted(set(WORDS)), *"abcdefghijklmnopqrstuvwxyzĠ"]
    ids = {token: number for number, token in enumerate(dict.fromkeys(tokens))}  # below its 100
    letters = Tokenizer(models.BPE(ids, [], unk_token="<unk>"))
    letters.decoder = decoders.ByteLevel()
    letters.add_special_tokens(SPECIAL)
    letters.save(str(place / "published" / "tokenizer.json"))


CALIBRATION = {
    "features": [{"name": "similarity", "mean": 0.5, "deviation": 0.1, "weight": 1.0}],
    "bias": 0.0,
    "method": "nucleus",
    "right": 0.5,
    "data": "clips.jsonl",
    "clips": 10,
    "right_share": 0.5,
    "held_out": dict.fromkeys(
        ("brier", "base_brier", "low", "high", "calibration_error", "auc"), 0.5
    ),
}


def write_embedder(folder: Path) -> None:
    """A random BERT in the layout of sentence-transformers."""
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(WORDS))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64}))
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    configs: dict[str, dict[str, Any]] = {
        "1_Pooling": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True},
        "2_Dense": {
            "in_features": 16,
            "out_features": 24,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        },
        "3_Normalize": {},
    }
    for name, values in configs.items():
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(values))
    dense = {"linear.weight": torch.randn(24, 16)}
    save_file(dense, folder / "2_Dense" / "model.safetensors")


# Values


def extremes(rng: random.Random, value: Any) -> Any:
    """Something else in the place of ``value``."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 7
    return rng.choice(
        [
            *(None, True, False, -1, 0, 1, 2, 3, 5, 10**4, 10**6, 10**9, 2**31, 2**63, 10**400),
            *(-(10**9), 0.5, 1e-320, 1e308, -1e308, float("inf"), float("nan"), 0.1 + 0.2),
            *("", "x", "1", "..", "../..", "/etc", "./evil", "evil", "a\nb", "\0", "\ud800"),
            *("a" * 100_000, "all-MiniLM-L6-v2", "owner/name", "../" * 40 + "etc", "%s{0}"),
            *([], {}, [[]], [value], {"a": value}, [number] * 1000, {"type": "yamnet"}),
            *(number + 1, number - 1, number * 2, number * 1000, -number, number / 3),
            *(float(number) if abs(number) < 1e300 else 1.0, str(value)[:100], ["x"] * 5000),
        ]
    )


def spots(content: Any) -> list[tuple[Any, Any]]:
    """(container, key or index) of every value."""
    found: list[tuple[Any, Any]] = []
    if isinstance(content, dict):
        items: list[tuple[Any, Any]] = list(content.items())
    else:
        items = list(enumerate(content)) if isinstance(content, list) else []
    for key, value in items:
        found.append((content, key))
        if len(found) < 5000:
            found += spots(value)
    return found


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(p for p in folder.rglob(pattern) if p.is_file() and "evil" not in p.parts)


@contextlib.contextmanager
def edited(path: Path) -> Iterator[Any]:
    """The content of a JSON file, written back afterwards."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):  # mutated before
        content = {}
    yield content
    path.write_text(json.dumps(content))


def config_of(rng: random.Random, folder: Path) -> Path:
    """A JSON file; a tokenizer, with its thousands of values, has mutations of its own."""
    found = [p for p in files(folder, "*.json") if p.name != "tokenizer.json"]
    return rng.choice(found or [folder / "config.json"])


# Mutations


def value_changed(rng: random.Random, folder: Path) -> None:
    with edited(config_of(rng, folder)) as content:
        if places := spots(content):
            where, key = rng.choice(places)
            where[key] = extremes(rng, where[key])


def values_changed(rng: random.Random, folder: Path) -> None:
    for _ in range(5):
        value_changed(rng, folder)


def number_changed(rng: random.Random, folder: Path) -> None:
    with edited(config_of(rng, folder)) as content:
        places = [(w, k) for w, k in spots(content) if isinstance(w[k], int | float)]
        if places:
            where, key = rng.choice(places)
            where[key] = rng.choice([where[key] * 2, where[key] + 1, 0, -1, 1, 10**6, 10**9, 1e300])


def key_removed(rng: random.Random, folder: Path) -> None:
    with edited(config_of(rng, folder)) as content:
        if places := spots(content):
            where, key = rng.choice(places)
            del where[key]


def key_renamed(rng: random.Random, folder: Path) -> None:
    with edited(config_of(rng, folder)) as content:
        places = [(w, k) for w, k in spots(content) if isinstance(w, dict)]
        if places:
            where, key = rng.choice(places)
            where[rng.choice([key + "s", key.upper(), "\n", "x" * 10_000])] = where.pop(key)


def whole_json(rng: random.Random, folder: Path) -> None:
    path = rng.choice(files(folder, "*.json") or [folder / "config.json"])
    text = path.read_bytes() if path.is_file() else b"{}"
    path.write_bytes(
        rng.choice(
            [
                b"[" * 200_000,
                b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
                b'{"format":' + b"9" * 5000 + b"}",
                *(b"[]", b"null", b"3", b'"x"', b"{}", b"", b"\xff\xfe\x00", b"{'a': 1}"),
                *(b"\xef\xbb\xbf" + text, text[:-2], text + text, text.decode().encode("utf-16")),
                text.replace(b"{", b'{"format": "other",', 1),
                rng.randbytes(1000),
            ]
        )
    )


def file_replaced(rng: random.Random, folder: Path) -> None:
    path = rng.choice(files(folder, "*") or [folder / "config.json"])
    content = path.read_bytes()
    path.unlink()
    kind = rng.randrange(12)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path.name)
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        os.mkfifo(path)
    elif kind == 4:
        path.touch()
        os.truncate(path, 5 << 30)  # no block of it is written
    elif kind == 5:
        path.write_bytes(b"")
    elif kind == 6:
        path.write_bytes(rng.randbytes(rng.choice([1, 8, 100, 100_000])))
    elif kind == 7:
        path.write_bytes(content[: rng.randrange(len(content) + 1)])
    elif kind == 8:
        path.symlink_to(path.parent)
    elif kind == 9:
        changed = bytearray(content)
        for _ in range(rng.choice([1, 10, 100])):
            if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(bytes(changed))
    elif kind == 10:
        path.write_bytes(content + rng.randbytes(1000))


def header_changed(rng: random.Random, folder: Path) -> None:
    """The header of a safetensors file says something else of its data."""
    path = rng.choice(files(folder, "*.safetensors"))
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    name = rng.choice([key for key in header if key != "__metadata__"])
    entry = header[name]
    kind = rng.randrange(9)
    if kind == 0:
        entry["dtype"] = rng.choice(["I64", "BOOL", "F8_E4M3", "U8", "F64", "F16", "C64", "X", ""])
    elif kind == 1:
        entry["shape"] = rng.choice(
            [[], [0], [-1], [10**12], [2**63], [2**32, 2**32], entry["shape"][::-1], [1.5], "x"]
        )
    elif kind == 2:
        start, end = entry["data_offsets"]
        wrong = [[0, end], [start, end + 4], [end, start], [start, 2**63], [-4, end], []]
        entry["data_offsets"] = rng.choice(wrong)
    elif kind == 3:
        del header[name]
    elif kind == 4:
        header[rng.choice(["more", "x\ny", "\ud800", "", "encoder.weight"])] = dict(entry)
    elif kind == 5:
        header["__metadata__"] = rng.choice([{"format": "tf"}, {"a": 1}, [], None, "x"])
    elif kind == 6:
        header = rng.choice([{}, [], {"a": {}}, dict.fromkeys(map(str, range(10_000)), entry)])
    elif kind == 7:
        header[name] = rng.choice([None, [], {}, {"dtype": "F32"}])
    text = json.dumps(header).encode()
    length = rng.choice([0, 2**63, len(content) * 2, 10**8]) if kind == 8 else len(text)
    path.write_bytes(struct.pack("<Q", length) + text + data)


def weights_changed(rng: random.Random, folder: Path) -> None:
    """Numbers that are no weights."""
    import torch
    from safetensors.torch import load_file, save_file

    path = rng.choice(files(folder, "*.safetensors"))
    weights = load_file(path)
    floats = [key for key, tensor in weights.items() if tensor.is_floating_point()]
    value = rng.choice([float("nan"), float("inf"), 1e38, -1e38, 1e20, 0.0, 1e-40])
    chosen = floats if rng.random() < 0.4 else [rng.choice(floats)]
    for key in chosen:
        if rng.random() < 0.5:
            weights[key] = torch.full_like(weights[key], value)
        else:
            weights[key].view(-1)[rng.randrange(weights[key].numel())] = value
    if rng.random() < 0.2:
        kind = rng.choice([torch.int64, torch.bool, torch.float64, torch.float8_e4m3fn])
        weights = {key: tensor.to(kind) for key, tensor in weights.items()}
    save_file(weights, path)


class Payload:
    """What a pickle runs when it is loaded without care."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{os.environ[MARK]}'",)


def pickled(rng: random.Random, folder: Path) -> None:
    """Weights as a pickle, in many shapes."""
    import torch
    from safetensors.torch import load_file

    path = rng.choice(files(folder, "*.safetensors"))
    weights: Any = load_file(path)
    path.unlink()
    path = path.with_name("pytorch_model.bin")
    some = max(weights, key=lambda key: weights[key].numel())
    kind = rng.randrange(14)
    if kind == 0:
        weights[some] = Payload()
    elif kind == 1:
        path.write_bytes(pickle.dumps(Payload()))
        return
    elif kind == 2:
        path.write_bytes(rng.choice([b"", b"junk", rng.randbytes(500), b"PK\x03\x04" + bytes(99)]))
        return
    elif kind == 3:
        weights[some] = weights[some].to_sparse()
    elif kind == 4:
        weights[some] = torch.zeros(1).expand(weights[some].shape)
    elif kind == 5:
        weights = rng.choice([[], 3, {1: torch.zeros(1)}, {"a": {"b": torch.zeros(1)}}, "x"])
    elif kind == 6:
        weights[some] = weights[some].to(rng.choice([torch.int64, torch.bool, torch.float16]))
    elif kind == 7:
        weights[some] = torch.full_like(weights[some], float("nan"))
    elif kind == 8:
        weights[some] = torch.empty(weights[some].shape, device="meta")
    elif kind == 9:
        del weights[some]
    elif kind == 10:
        weights[some] = torch.zeros(1).expand(10**6, 10**6)
    torch.save(weights, path, _use_new_zipfile_serialization=kind != 11)
    if kind == 12:
        content = path.read_bytes()
        path.write_bytes(content[: rng.randrange(len(content))])
    elif kind == 13:
        inflated(path)


def inflated(path: Path) -> None:
    """The archive of a checkpoint with 3 GB of zeros, in 3 MB."""
    whole = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        big = max(old.infolist(), key=lambda item: item.file_size).filename
        for item in old.infolist():
            with new.open(item.filename, "w", force_zip64=True) as file:
                if item.filename == big:
                    for _ in range(3000):
                        file.write(bytes(1 << 20))
                else:
                    file.write(old.read(item))
    path.write_bytes(whole.getvalue())


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}


def tokenizer_changed(rng: random.Random, folder: Path) -> None:
    """A tokenizer whose parts grow a text, look for patterns for ever, or do not fit together."""
    with edited(rng.choice(files(folder, "tokenizer.json"))) as content:
        model = content["model"]
        token = rng.choice(list(model["vocab"]))
        kind = rng.randrange(17)
        if kind == 0:
            content["normalizer"] = {"type": "Sequence", "normalizers": [REPLACE] * 12}
        elif kind == 1:
            grow = [REPLACE | {"pattern": {"String": "Ġ"}, "content": "Ġ" * 10}] * 12
            content["decoder"] = {"type": "Sequence", "decoders": [*grow, content["decoder"]]}
        elif kind == 2:
            pattern = {"Regex": r"(\w+\s*)+$"}
            split = {"type": "Split", "pattern": pattern, "behavior": "Removed", "invert": False}
            content["pre_tokenizer"] = split
        elif kind == 3:
            model["vocab"]["Ġ" + "a" * 3_000_000] = model["vocab"].pop(token)
        elif kind == 4:
            model["vocab"][token] = rng.choice([10**6, -1, 2**32, 2**31, 0, "x", None, 1.5])
        elif kind == 5:
            content["added_tokens"] = rng.choice([[], content["added_tokens"][:2], None, [{}]])
            for special in ("<pad>", "</s>"):
                model["vocab"].pop(special, None)
        elif kind == 6:
            model["type"] = rng.choice(["WordPiece", "WordLevel", "Unigram", "X", "", None])
        elif kind == 7:
            model["merges"] = rng.choice([[["x", "y"]], ["a"], [[]], [["a", "b"]] * 10, "x", None])
        elif kind == 8:
            added = content["added_tokens"][0]
            more = [added | {"id": 300 + i, "content": f"t{i}"} for i in range(200_000)]
            content["added_tokens"] += more
        elif kind == 9:
            content["added_tokens"][rng.randrange(4)]["id"] = rng.choice([10**9, 2**32, -1, 0, 299])
        elif kind == 10:
            deep: dict[str, Any] = {"type": "NFC"}
            for _ in range(rng.choice([10, 100, 400])):
                deep = {"type": "Sequence", "normalizers": [deep]}
            content["normalizer"] = deep
        elif kind == 11:
            key = rng.choice(["normalizer", "pre_tokenizer", "decoder", "post_processor"])
            content[key] = {"type": rng.choice(PARTS)}
        elif kind == 12:
            content["truncation"] = rng.choice([{"max_length": 0}, {"max_length": 10**18}, 3])
            content["padding"] = {"strategy": {"Fixed": 10**12}, "direction": "Right"}
        elif kind == 13:
            model["dropout"] = rng.choice([1.0, 0.5, -1, 7])
        elif kind == 14:
            model["unk_token"] = rng.choice(["nothing", "", 3])
            model["byte_fallback"] = True
        elif kind == 15:
            prefix = rng.choice(["a" * 10**6, "##"])
            model["continuing_subword_prefix"] = model["end_of_word_suffix"] = prefix
        else:
            where, key = rng.choice(spots({k: v for k, v in content.items() if k != "model"}))
            where[key] = extremes(rng, where[key])


PARTS = (
    *("Replace", "Precompiled", "Strip", "Prepend", "ByteLevel", "Metaspace", "Split", "CTC"),
    *("ByteFallback", "Fuse", "WordPiece", "BPEDecoder", "TemplateProcessing", "FixedLength"),
)


def bart_files(rng: random.Random, folder: Path) -> None:
    """vocab.json and merges.txt in the place of tokenizer.json."""
    path = rng.choice(files(folder, "tokenizer.json"))
    model = json.loads(path.read_bytes())["model"]
    path.unlink()
    vocab, merges = model["vocab"], [" ".join(pair) for pair in model["merges"]]
    kind = rng.randrange(6)
    if kind == 0:
        vocab[rng.choice(list(vocab))] = rng.choice([-1, 2**40, "x", None, 10**6])
    elif kind == 1:
        merges[0] = rng.choice(["", "a", "a b c", "x y", "\0"])
    elif kind == 2:
        vocab = rng.choice([{}, [], {"a" * 10**6: 0}, {"<pad>": 0, "</s>": 1}])
    text = "\n".join(["#version: 0.2", *merges])
    path.with_name("merges.txt").write_bytes(rng.randbytes(99) if kind == 3 else text.encode())
    path.with_name("vocab.json").write_text("[" * 10**5 if kind == 4 else json.dumps(vocab))


def embedder_named(rng: random.Random, folder: Path) -> None:
    """A text embedder elsewhere, which names code."""
    path = rng.choice(files(folder, "config.json") or [folder / "config.json"])
    evil = str(folder / "evil")
    (folder / "text_embedder_link").symlink_to(evil)
    names = ["evil", "./evil", "../case/evil", evil, f"{evil}/", "./text_embedder/../evil", "."]
    names += ["./text_embedder_link", "owner/name", "~/evil", "file://evil", "./", "./missing"]
    with edited(path) as content:
        content["text_embedder"] = {"name": rng.choice(names), "prompt": ""}


def embedder_changed(rng: random.Random, folder: Path) -> None:
    """The embedder's own folder names code, or other folders."""
    place = folder / "text_embedder"
    kind = rng.randrange(12)
    if kind < 4:
        with edited(place / "modules.json") as modules:
            module = rng.choice(modules)
            if kind < 3:
                module["type"] = rng.choice(CODE)
            else:
                module["path"] = rng.choice(["../evil", "/etc", str(folder / "evil"), "..", "x"])
        shutil.copy(folder / "canary.py", place)
    elif kind == 4:
        with edited(place / "config.json") as content:
            content["auto_map"] = {"AutoConfig": "canary.Canary", "AutoModel": "canary.Canary"}
            content["model_type"] = rng.choice(["bert", "mine"])
        shutil.copy(folder / "canary.py", place)
    elif kind == 5:
        with edited(place / "2_Dense" / "config.json") as content:
            content["activation_function"] = rng.choice([*CODE, "torch.hub.load", "torch.nn.ReLU"])
    elif kind == 6:
        with edited(place / "sentence_bert_config.json") as content:
            content["model_args"] = {"trust_remote_code": True}
            content["config_args"] = {"trust_remote_code": True}
    elif kind == 7:
        (place / "adapter_config.json").write_text(
            json.dumps(
                {
                    "peft_type": "LORA",
                    "base_model_name_or_path": "./evil",
                    "auto_mapping": {"base_model_class": "Canary", "parent_library": "canary"},
                }
            )
        )
    elif kind == 8:
        with edited(place / "config.json") as content:
            content[rng.choice(["_attn_implementation", "attn_implementation"])] = "owner/kernel"
    elif kind == 9:
        router = {"types": {"a": "canary.Canary"}, "structure": {"query": ["a"]}, "parameters": {}}
        (place / "router_config.json").write_text(json.dumps(router))
        with edited(place / "modules.json") as modules:
            modules[0]["type"] = "sentence_transformers.models.Router"
    elif kind == 10:
        with edited(place / "tokenizer_config.json") as content:
            content |= {
                "tokenizer_class": "Canary",
                "auto_map": {"AutoTokenizer": ["canary.C", ""]},
            }
    else:
        with edited(place / "config.json") as content:
            size = rng.choice(["num_hidden_layers", "hidden_size", "vocab_size"])
            content[size] = rng.choice([10**4, 10**6, 10**9])


CODE = (
    *("canary.Canary", "os.system", "sentence_transformers.util.canary.Canary", "canary", ""),
    *("sentence_transformers.models.Router", "sentence_transformers.models.WordEmbeddings"),
    *(
        "sentence_transformersx.Canary",
        "subprocess.Popen",
        "sentence_transformers.SentenceTransformer",
    ),
)


def members_changed(rng: random.Random, folder: Path) -> None:
    with edited(folder / "config.json") as content:
        members = content.get("members") or [{}]
        kind = rng.randrange(6)
        if kind == 0:
            name = rng.choice(["../..", "..", ".", "/etc", "a/b", "", "one", "\0", "x" * 5000])
            members[0]["name"] = name
        elif kind == 1:
            content["members"] = [{"name": f"m{i}"} for i in range(100_000)]
        elif kind == 2:
            wrong = rng.choice([-1, 0, 1e308, float("nan"), 10**400])
            members[0]["likelihood_weight"] = members[0]["similarity_weight"] = wrong
        elif kind == 3:
            one = folder / "members" / "one"
            shutil.rmtree(one)
            one.symlink_to(folder)
        elif kind == 4:
            content["members"] = members[:1]
        else:
            content["pool"] = rng.choice(["tokens", "x", None, ["tokens"]])


def text_replaced(rng: random.Random, folder: Path) -> None:
    """The card or the credits are no text, or without end."""
    path = folder / rng.choice(["README.md", "CREDITS.md"])
    if rng.random() < 0.3:
        path.touch()
        os.truncate(path, 3 << 30)
    else:
        path.write_bytes(rng.choice([rng.randbytes(10_000), b"\xff", b"a" * 10**7, b"\x1b[2J\0"]))


EVERYWHERE: tuple[Mutation, ...] = (
    *(value_changed, value_changed, values_changed, number_changed, number_changed, key_removed),
    *(key_renamed, whole_json, file_replaced, file_replaced, header_changed, weights_changed),
    *(pickled, tokenizer_changed, tokenizer_changed, bart_files, text_replaced, embedder_named),
)
ONLY: dict[str, tuple[Mutation, ...]] = {
    "ours": (),
    "published": (pickled, pickled),
    "ensemble": (members_changed, members_changed, members_changed),
    "embedder": (embedder_changed, embedder_changed, embedder_changed, embedder_changed),
}


if __name__ == "__main__":
    main()
