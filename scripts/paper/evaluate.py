"""The paper's table of decoding methods, on Clotho's evaluation set or any clips with references.

    python scripts/paper/evaluate.py clotho_captions_evaluation.csv --audio RECORDINGS \\
        [--model clotho] [--ensemble FOLDER] [--fluency own|fense-base|fense-tiny|off]
        [--output runs/paper-evaluation]

Each model captions every clip twice: by beam search, and by nucleus sampling, whose candidates are
ranked by likelihood (the decoder), by similarity (the encoder) and by both. Of each ranking the
first that the fluency detector passes is the caption: the model's own choice of detector, FENSE's
for the published weights (`auricle models fetch fense`), or that of --fluency. Captions are kept in
the output folder and not made again: a run that was broken off goes on with what is not there yet.
A rehearsal: `--model tiny` with a manifest of one's own clips.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from auricle.cli.console import say
from auricle.cli.progress import Display
from auricle.cli.tables import print_table
from auricle.decoding.options import RerankWeights
from auricle.decoding.rerank import choose, rank
from auricle.decoding.terms import score
from auricle.errors import AuricleError
from auricle.evaluation.assessment import Assessment, as_json
from auricle.evaluation.captioning import caption_clips
from auricle.evaluation.pairing import PairingError, Pairs, pair
from auricle.evaluation.predictions import Prediction, read_predictions
from auricle.evaluation.references import References, read_references
from auricle.evaluation.table import missing_lines
from auricle.metrics import Evaluation, evaluate
from auricle.pipeline import Captioner
from auricle.text.fluency import FluencyFilter
from auricle.watch import Watch

BEAM, HYBRID = "beam search", "hybrid"
RERANKED = {  # what nucleus sampling's candidates are ranked by; section 2.4
    "decoder": RerankWeights(likelihood=1.0, similarity=0.0),
    "encoder": RerankWeights(likelihood=0.0, similarity=1.0),
    HYBRID: RerankWeights(),
}
METRICS = ("spider-fl", "cider-d", "spice", "spider", "fense")
# SPIDEr-FL on Clotho's evaluation set, x100: Wu et al., ICASSP 2024 (arXiv 2309.17352), and their
# DCASE 2023 task 6A submission. The paper says of beam search only that it is 1 to 2 below hybrid.
PUBLISHED = {
    ("single", BEAM): "1 to 2 below hybrid",
    ("single", HYBRID): "32.6",
    ("ensemble", HYBRID): "33.6, weighted",
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except PairingError as error:
        for line in error.faults.lines():
            say("error", line)
        sys.exit(f"{Path(__file__).name}: {error}")
    except AuricleError as error:
        sys.exit(f"{Path(__file__).name}: {error}")


def _run(options: argparse.Namespace) -> None:
    data = read_references(options.references, options.audio, options.split)
    options.output.mkdir(parents=True, exist_ok=True)
    tables = []
    for kind, model in (("single", options.model), ("ensemble", options.ensemble)):
        if model is None:
            continue
        found = {}
        for method, pairs in _methods(kind, model, data, options):
            found[method] = evaluate(
                pairs.captions, pairs.texts, options.metrics, seed=options.seed
            )
            stored = as_json(Assessment(f"{kind}, {method}", str(data.path), pairs, found[method]))
            path = options.output / f"{kind}-{method.replace(' ', '-')}.json"
            path.write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")
        print_table(f"{kind} ({model}), {len(data.clips):,} clips", *_table(kind, found, False))
        header, rows = _table(kind, found, True)
        lines = [f"## {kind} ({model}), {len(data.clips):,} clips", ""]
        lines += [f"| {' | '.join(row)} |" for row in (header, ("---",) * len(header), *rows)]
        lacking = missing_lines(found[BEAM].missing)
        tables += [*lines, "", *(f"- missing: {line}" for line in lacking), ""]
    for line in lacking:
        say("note", f"missing: {line}")
    (options.output / "table.md").write_text("\n".join(tables), encoding="utf-8")
    say("note", f"captions, intervals (table.md) and every clip's scores are in {options.output}")


def _table(
    kind: str, found: Mapping[str, Evaluation], spans: bool
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Scores x100 by method, and the published ones; with their intervals or without."""
    rows = [
        (score.name, *(_cell(evaluation, score.name, spans) for evaluation in found.values()))
        for score in found[BEAM].scores
    ]
    published = (PUBLISHED.get((kind, method), "-") for method in found)
    return ("x100", *found), [*rows, ("SPIDEr-FL, published (Clotho evaluation)", *published)]


def _methods(
    kind: str, model: str, data: References, options: argparse.Namespace
) -> Iterator[tuple[str, Pairs]]:
    """Each method of decoding, and the captions that it gives."""
    captioner = None
    said = {}
    for decode in ("beam", "nucleus"):
        parts = (kind, decode, options.fluency)
        kept = options.output / ("-".join(part for part in parts if part) + ".jsonl")
        if not kept.exists():
            captioner = captioner or Captioner.from_pretrained(model, device=options.device)
            _caption(captioner, data, decode, kept, options)
        said[decode] = pair(read_predictions(kept), data, partial=options.partial)
    yield BEAM, said["beam"]
    for method, weights in RERANKED.items():
        sampled = said["nucleus"]
        ranked = tuple(reranked(prediction, weights) for prediction in sampled.predictions)
        yield method, replace(sampled, predictions=ranked)


def _caption(
    captioner: Captioner, data: References, decode: str, kept: Path, options: argparse.Namespace
) -> None:
    """Into ``kept``, which is there only when it is whole."""
    part = kept.with_suffix(".part")
    decoding = captioner.decoding(
        decode,
        candidates=options.candidates if decode == "nucleus" else None,
        every_term=decode == "nucleus",
        fluency=options.fluency,
        seed=options.seed,
    )
    with Display() as display:
        watch = Watch(display.error, display.progress)
        caption_clips(
            captioner, data.clips, part, decoding, batch_size=options.batch_size, watch=watch
        )
    part.replace(kept)


def reranked(prediction: Prediction, weights: RerankWeights) -> Prediction:
    """The same candidates, ranked anew: the first fluent one is the caption."""
    if not prediction.candidates:  # nothing can be heard
        return prediction
    scored = [replace(c, score=score(c, weights)) for c in prediction.candidates]
    ranked = rank(scored)
    return replace(prediction, caption=choose(ranked).text, candidates=tuple(ranked))


def _cell(found: Evaluation, name: str, span: bool) -> str:
    """ "32.6" or "32.6 (31.0, 34.1)"."""
    value, interval = f"{100 * found[name].corpus:.1f}", found.intervals.get(name)
    if not span or interval is None:
        return value
    return f"{value} ({100 * interval.low:.1f}, {100 * interval.high:.1f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("references", type=Path, help="Clotho's CSV, or a manifest")
    parser.add_argument("--audio", type=Path, help="folder of the recordings of a CSV")
    parser.add_argument("--split", help="of a manifest, the clips of this split alone")
    parser.add_argument("--model", default="clotho", help="the published weights by default")
    parser.add_argument("--ensemble", help="an ensemble folder: auricle ensemble fit")
    parser.add_argument("--candidates", type=int, help="samples per clip; 50 in the paper")
    parser.add_argument("--fluency", choices=get_args(FluencyFilter), help="the model's by default")
    parser.add_argument("--metrics", nargs="+", default=METRICS)
    parser.add_argument("--output", type=Path, default=Path("runs/paper-evaluation"))
    parser.add_argument("--partial", action="store_true", help="go on without unreadable clips")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
