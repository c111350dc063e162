"""Metrics of captions and embeddings, one file per family: a corpus value and one per item.

from auricle.metrics import evaluate

evaluate(["a dog barks"], [["a dog is barking", "barking"]])["CIDEr-D"].corpus
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auricle.metrics.evaluation import Evaluation
    from auricle.metrics.evaluation import evaluate as evaluate

__all__ = ["Evaluation", "evaluate"]


def __getattr__(name: str) -> Any:
    """`evaluate` and `Evaluation`, imported at their first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("auricle.metrics.evaluation"), name)
