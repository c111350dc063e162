"""Files of weights, which may come from a stranger: what they hold is compared with what a model
needs before a tensor is read, and nothing in them is executed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from auricle.errors import ModelError, in_one_line
from auricle.files import listed

FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DTYPES = FLOATS | {"I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool}
HEADER = 16 << 20  # bytes, 100,000 tensors
NAMED, LETTERS = 20, 200  # of the problems of a file; of each
CODE = ("Unsupported global", "Unsupported class", "Trying to call reduce")  # in torch's refusals


class Kind(NamedTuple):
    """Shape of a tensor, and whether it holds floating-point numbers."""

    shape: tuple[int, ...]
    floating: bool

    @classmethod
    def of(cls, tensor: Tensor) -> Kind:
        return cls(tuple(tensor.shape), tensor.is_floating_point())

    def __str__(self) -> str:
        return f"{list(self.shape)}{'' if self.floating else ' of whole numbers'}"


def kinds_of(model: torch.nn.Module) -> dict[str, Kind]:
    """The tensors that a model needs."""
    return {name: Kind.of(tensor) for name, tensor in model.state_dict().items()}


def load_fitting(
    path: Path, needed: Mapping[str, Kind], tied: Iterable[str] = ()
) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a pickle, that fit a model (see `check_fit`).

    Raises ModelError: they do not, or cannot be read; of a safetensors file the header decides.
    """
    if path.suffix == ".safetensors":
        check_fit(header(path), needed, path, tied)
        return read_tensors(path)
    weights = tensors_of(read_pickle(path), path)
    check_fit({name: Kind.of(tensor) for name, tensor in weights.items()}, needed, path, tied)
    return finite(weights, path)


def header(path: Path) -> dict[str, Kind]:
    """The tensors that a safetensors file says it has.

    Raises ModelError: it is no such file, or they overlap or are not all there.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelError(f"{path}: no such file; fetch or write the folder again")
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
        if size > HEADER:
            raise ValueError(f"a header of {size:,} bytes; at most {HEADER:,}")
        found = {}
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  it is no mapping
                part = file.get_slice(name)
                if (dtype := part.get_dtype()) not in DTYPES:
                    raise ValueError(f"{name} has numbers of type {dtype}")
                found[name] = Kind(tuple(part.get_shape()), dtype in FLOATS)
    except (OSError, ValueError, MemoryError, SafetensorError) as error:
        raise not_weights(path, error) from error
    return found


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose `header` has been read; finite.

    Raises ModelError: a number is infinite or none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return finite(load_file(path), path)
    except (OSError, MemoryError, SafetensorError) as error:
        raise not_weights(path, error) from error


def read_pickle(path: Path) -> Any:
    """The content of a file that `torch.save` wrote: plain values and tensors; no code in it runs.

    Raises ModelError: it holds anything else, is damaged, or unpacks to more than it is.
    """
    import pickle

    check_stored(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not any(words in str(error) for words in CODE):  # torch's text advises to trust it
            raise not_weights(path, ValueError("not what torch.save writes")) from error
        raise ModelError(
            f"{path}: holds code besides tensors, which auricle never executes; convert it to "
            "safetensors on a machine where you trust it"
        ) from error
    except Exception as error:  # torch raises whatever its unpickler does
        raise not_weights(path, error) from error


def check_stored(path: Path) -> None:
    """See that what `torch.save` wrote is a file that unpacks to no more than it is.

    Raises ModelError: it is not.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; fetch or write it again")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                size = sum(item.file_size for item in archive.infolist())
            if size > path.stat().st_size:
                raise ValueError(f"it unpacks to {size:,} bytes; checkpoints are not compressed")
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise not_weights(path, error) from error


def tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    """``content`` of a pickle as a dictionary of plain tensors; raises ModelError."""
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and value.dtype in DTYPES.values()
        for key, value in content.items()
    ):
        raise ModelError(f"{path}: not a dictionary of tensors")
    return {str(key): value for key, value in content.items()}


def finite(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """``weights``, after a look that no number is infinite or none; raises ModelError."""
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ModelError(
                f"{path}: {name} holds infinite numbers or none at all; the file is damaged or its "
                "training diverged: take an earlier checkpoint"
            )
    return weights


def check_fit(
    found: Mapping[str, Kind],
    needed: Mapping[str, Kind],
    source: object,
    tied: Iterable[str] = (),
) -> None:
    """See that a file has the tensors a model needs, and no others but ``tied`` ones. Sizes of one
    do not count: kernel-1 convolutions are our linear layers (`Tensor.reshape` does the rest).

    Raises ModelError: names each that is missing, unexpected or of another shape.
    """
    problems = []
    if missing := sorted(needed.keys() - found.keys()):
        problems.append(f"missing keys: {listed(missing, NAMED, LETTERS)}")
    if unexpected := sorted(found.keys() - needed.keys() - set(tied)):
        problems.append(f"unexpected keys: {listed(map(repr, unexpected), NAMED, LETTERS)}")
    wrong = [
        f"{key} has shape {found[key]}, expected {needed[key]}"
        for key in sorted(needed.keys() & found.keys())
        if _squeezed(found[key]) != _squeezed(needed[key])
    ]
    if wrong:
        problems.append(listed(wrong, NAMED, LETTERS, "; "))
    if problems:
        raise ModelError(
            f"{source}: the weights do not fit the configuration: " + "; ".join(problems)
        )


def _squeezed(kind: Kind) -> Kind:
    return Kind(tuple(size for size in kind.shape if size != 1), kind.floating)


def not_weights(path: Path, error: Exception) -> ModelError:
    found = in_one_line(error)
    return ModelError(f"{path}: no weights that can be read ({found}); fetch or write it again")
