"""`auricle mixup`: captions mixed by a language model, filtered, and their recordings mixed."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import SOME_FAILED, exit_codes, say
from auricle.cli.progress import Display, spent
from auricle.printable import printable

if TYPE_CHECKING:
    from auricle.llm.client import ClientConfig
    from auricle.llm.cost import Price
    from auricle.mixup.filtering import Filtering
    from auricle.mixup.pairs import CaptionPairs
    from auricle.mixup.status import Summary

app = typer.Typer(
    help="Mix pairs of captions, and their recordings, for training.", no_args_is_help=True
)
NO_DETECTOR = "none"
ManifestSplit = Annotated[str, typer.Option(metavar="NAME", help="Split of the manifest.")]
SHOWN, SOME = 100, 3  # characters of an example; names of a long list


class ProviderName(StrEnum):
    openai = "openai"
    local = "local"


class AudioFormat(StrEnum):
    flac = "flac"
    wav = "wav"


@app.command(
    epilog="The key comes from OPENAI_API_KEY, and is never written or shown. Pairs in the output"
    " are not requested again: an interrupted run continues."
)
def generate(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Captions to mix.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Mix-ups to add to (.jsonl).")
    ],
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", min=1)] = 50_000,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name on the server.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A server such as vLLM.", show_default="OPENAI_BASE_URL, OpenAI"
        ),
    ] = None,
    provider: Annotated[
        ProviderName, typer.Option(help="local: by grammar, without a model.")
    ] = ProviderName.openai,
    split: ManifestSplit = "train",
    seed: Annotated[int, typer.Option(metavar="N", help="Fixes the pairs and their order.")] = 0,
    concurrency: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="Parallel requests.")
    ] = 8,
    price: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="IN OUT", help="Per million tokens read and written: shows the cost."),
    ] = None,
    temperature: Annotated[float | None, typer.Option(metavar="X", min=0)] = None,
    max_tokens: Annotated[int | None, typer.Option(metavar="N", min=1, help="Per answer.")] = None,
    timeout: Annotated[float, typer.Option(metavar="S", min=1, help="Per request.")] = 60.0,
    batch: Annotated[
        bool, typer.Option("--batch", help="Send nothing: write the provider's batch files.")
    ] = False,
    results: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Read the results of a batch. Repeat for more."),
    ] = None,
) -> None:
    """Let a language model mix random pairs of captions of different recordings.

    The raw answers are stored; `auricle mixup filter` turns them into a manifest.

    Exit status: 0, or 1 if some pairs have no answer: the same command requests them again.
    """
    by_model = provider == ProviderName.openai
    if by_model and not model:
        raise typer.BadParameter("give the model's name.", param_hint="'--model'")
    if not by_model and (batch or results):
        raise typer.BadParameter("needs the provider openai.", param_hint="'--batch', '--results'")
    with exit_codes():
        from auricle.llm.client import ClientConfig
        from auricle.llm.cost import Price
        from auricle.mixup.generate import generate, generate_by_grammar
        from auricle.mixup.pairs import CaptionPairs

        pairs = CaptionPairs.read(manifest, seed, split)
        if not by_model:
            with Display(quiet_s=0.0) as display:
                _tell(output, generate_by_grammar(output, pairs, count, display.generation))
            return
        config = ClientConfig(
            model or "",
            base_url,
            concurrency,
            timeout,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        if batch or results:
            failed = _batches(output, pairs, count, config, results or [], batch)
        else:
            cost = Price(*price) if price else None
            with Display(quiet_s=0.0) as display:
                show = partial(display.generation, price=cost)
                done = generate(output, pairs, count, config, progress=show)
            _tell(output, done, cost)
            failed = not done.complete
        if failed:
            raise typer.Exit(SOME_FAILED)


@app.command("import")
def import_(
    published: Annotated[
        Path, typer.Argument(metavar="FILE", help="clotho_development_chatgpt_mixups.json")
    ],
    manifest: Annotated[
        Path, typer.Option(metavar="MANIFEST", help="Clotho's, from auricle data clotho.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Mix-ups to write (.jsonl).")
    ],
    split: ManifestSplit = "train",
) -> None:
    """Import the published 50,000 mix-ups of Clotho (slseanwu/clotho-chatgpt-mixup-50K)."""
    with exit_codes():
        from auricle.mixup.published_mixups import import_published

        found = import_published(published, manifest, output, split)
        say("note", f"{output}: {found.rows:,} mix-ups")
        _reasons("left out", found.left_out)
        if found.missing:
            names = ", ".join(sorted(found.missing)[:SOME]) + " …" * (len(found.missing) > SOME)
            say("note", f"{len(found.missing):,} recordings are not in {manifest}: {names}")


@app.command("filter")
def filter_(
    mixups: Annotated[Path, typer.Argument(metavar="MIXUPS", help="As generated (.jsonl).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The manifest to write (.jsonl).")
    ],
    fluency: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="auricle, fense-base, fense-tiny, a file of FENSE's, or none."
        ),
    ] = "auricle",
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            min=0,
            max=1,
            help="A caption is disfluent from this probability of an error on.",
            show_default="the detector's own",
        ),
    ] = None,
    max_words: Annotated[int, typer.Option(metavar="N", min=4, help="Per caption.")] = 25,
) -> None:
    """Clean the answers, and reject those that do not name the sounds of both captions, repeat one
    text or form of words for many pairs, or are not fluent.

    FILE.rejected.jsonl lists every rejected answer with its reason.
    """
    with exit_codes():
        from auricle.mixup.filtering import filter_mixups

        detector = None
        if fluency != NO_DETECTOR:
            from auricle.text.fluency import load_detector

            detector = load_detector(fluency)
            if threshold is not None:
                detector.threshold = threshold
        with Display() as display:
            found = filter_mixups(mixups, output, detector, max_words, display.progress)
        judge = f"{detector.name}, over {detector.threshold:.3g}" if detector else "not asked for"
        _show(found, f"disfluent: {judge}")
        say("note", f"{output}: {found.kept:,} mix-ups, the others in {found.listed}")


@app.command(epilog="Finished files are not rendered again: an interrupted run continues.")
def render(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Filtered mix-ups.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FOLDER", help="For manifest.jsonl and the sounds."),
    ],
    on_the_fly: Annotated[
        bool, typer.Option("--on-the-fly", help="Write only a manifest, which training mixes.")
    ] = False,
    preview: Annotated[
        int,
        typer.Option(metavar="N", min=0, help='N to listen to, in preview.html (extra "data").'),
    ] = 0,
    rate: Annotated[int, typer.Option(metavar="HZ")] = 16_000,
    format: Annotated[AudioFormat, typer.Option(help="16 bit, mono.")] = AudioFormat.flac,
    level_range: Annotated[
        float, typer.Option(metavar="DB", min=0, max=100, help="Largest difference of levels.")
    ] = 5.0,
    max_duration: Annotated[float, typer.Option(metavar="S", min=0.2, max=3600)] = 30.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Draws levels and offsets.")] = 0,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, show_default="processors")
    ] = None,
) -> None:
    """Mix the recordings of mix-ups, into files or, with --on-the-fly, in training.

    Exit status: 0, or 1 if some could not be mixed; they are named.
    """
    with exit_codes():
        from auricle.mixup.filtering import rejects_of
        from auricle.mixup.render import Rendering, refer
        from auricle.mixup.render import render as render_mixups
        from auricle.report.mixups import write_preview

        rendering = Rendering(rate, format.value, seed, level_range, max_duration)
        skipped: list[tuple[str, str]] = []
        mix = refer if on_the_fly else partial(render_mixups, rendering=rendering)
        with Display() as display:
            done = mix(
                manifest,
                output,
                workers=workers,
                on_skip=lambda where, why: skipped.append((where, why)),
                progress=display.progress,
            )
        for where, why in skipped:
            say("skipped", why if where in why else f"{where}: {why}")
        reused = f", {done.there:,} of them there already" if done.there else ""
        say("note", f"{done.manifest}: {done.made + done.there:,} mix-ups{reused}")
        if preview:
            page = output / "preview.html"
            # From the manifest that still has mixes: for rendered files, their source.
            source = done.manifest if on_the_fly else manifest
            with Display() as display:
                shown = write_preview(
                    source,
                    page,
                    preview,
                    rendering,
                    progress=display.progress,
                    rejects=rejects_of(manifest),
                )
            say("note", f"{page}: {shown} to listen to")
        if done.failed:
            raise typer.Exit(SOME_FAILED)


def _tell(output: Path, done: Summary, price: Price | None = None) -> None:
    cost = f", {spent(done.tokens, price)}" if done.tokens.prompt else ""
    say("note", f"{output}: {done.found + done.made:,} mix-ups, {done.made:,} of them new{cost}")
    _reasons("cannot be mixed", done.skipped)
    _reasons("failed", done.failed)
    if done.failed:
        say("note", "the same command asks for those again")


def _batches(
    output: Path,
    pairs: CaptionPairs,
    count: int,
    config: ClientConfig,
    results: list[Path],
    write: bool,
) -> bool:
    """Read ``results``, then write requests for the rest; return whether pairs failed."""
    from auricle.mixup.batchfile import read_results, write_requests

    failed = False
    for path in results:
        read = read_results(path, output, pairs, count, config)
        say("note", f"{path}: {read.made:,} new mix-ups, {read.left:,} still to come")
        _reasons("failed", read.failed)
        failed = failed or bool(read.failed)
    if write:
        target = output.with_suffix(".requests.jsonl")
        written = write_requests(target, output, pairs, count, config)
        for path, number in written:
            say("note", f"{path}: {number:,} requests; give their results to --results")
        if not written:
            say("note", f"{output}: has all {count:,} mix-ups; there is nothing to request")
    return failed


def _reasons(what: str, reasons: Counter[str]) -> None:
    for reason, number in reasons.most_common():
        say("note", f"{what}, {reason}: {number:,}")


def _show(found: Filtering, note: str) -> None:
    from auricle.cli.tables import print_table

    total = found.kept + found.rejected.total()
    rows = [("kept", f"{found.kept:,}", _share(found.kept, total), "")]
    for reason, number in found.rejected.items():
        examples = "\n".join(map(_short, found.examples[reason]))
        rows.append((reason, f"{number:,}", _share(number, total), examples))
    title = f"{total:,} answers; in {found.in_turn:,} of those kept one sound follows the other"
    print_table(title, ("", "number", "share", "such as"), rows, note)


def _share(number: int, total: int) -> str:
    return f"{100 * number / max(1, total):.1f} %"


def _short(answer: str) -> str:
    line = printable(answer.strip()[: SHOWN + 1])
    return (line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…") or '""'
