"""Mutations of model folders: values, tokenizers, and code that a folder may name."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.small_models import files
from tests.fuzz.weight_damage import header_changed, pickled, weights_changed

Mutation = Callable[[random.Random, Path], None]


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
