"""`auricle plot FILE`: a recording and its timed captions as a picture or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auricle.cli.console import exit_codes, say
from auricle.cli.loading import ModelChoices
from auricle.cli.options import DecodingChoices, spread
from auricle.cli.progress import Display
from auricle.printable import printable

if TYPE_CHECKING:
    from auricle.pipeline import Captioner
    from auricle.records import Caption


@spread
def plot(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    *,
    timeline: Annotated[
        Path | None,
        typer.Option(
            metavar="RECORDS.jsonl",
            help="Its timed captions, as JSON Lines.",
            show_default="captioned now",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.png|FILE.html",
            help="A picture, or a page in which a click on a caption plays it.",
            show_default="FILE's name with .png, here",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output.")] = False,
    words: Annotated[
        bool,
        typer.Option("--words", help="Of a single caption: where the model hears each word."),
    ] = False,
    using: ModelChoices,
) -> None:
    """Draw the waveform, the spectrogram and the timed captions of a recording.

    Needs matplotlib, from the extra "data".
    """
    with exit_codes():
        path = _checked_output(output or Path(f"{file.stem}.png"), file, overwrite)
        from auricle.report.overview import overview
        from auricle.report.plots import require_matplotlib
        from auricle.report.timeline import Plot, captions_of, check_within

        require_matplotlib()
        captions = captions_of(timeline, file) if timeline else []
        with Display() as display:
            shown = overview(file, display.progress)
        if timeline:
            check_within(captions, shown.duration_s, timeline)
        captioner = using.load() if words or not timeline else None
        if captioner and not timeline:
            captions = _heard(captioner, file, using.seed, whole=words)
        attention = None
        if words:
            if len(captions) != 1:
                raise typer.BadParameter(
                    f"the words of one caption are drawn, but there are {len(captions)}; leave it"
                    " out, or give a recording of one clip.",
                    param_hint="'--words'",
                )
            from auricle.report.words import words_over_time

            assert captioner is not None
            attention = words_over_time(captioner, captions[0])
        drawn = Plot(file, shown, captions, attention)
        if path.suffix.lower() == ".png":
            from auricle.report.timeline_picture import write_picture as write
        else:
            from auricle.report.timeline_page import write_page as write
        write(drawn, path)
        say("written", str(path))


def _checked_output(path: Path, file: Path, overwrite: bool) -> Path:
    """Refuse outputs of another kind, or that would replace what is not to be replaced."""
    name, reason = printable(str(path)), ""
    if path.suffix.lower() not in (".png", ".html"):
        reason = f"{name} must end in .png or .html."
    elif path.is_dir():
        reason = f"{name} is a folder; name a file."
    elif path.exists() and file.exists() and path.samefile(file):
        reason = f"{name} is the recording."
    elif path.exists() and not overwrite:
        reason = f"{name} exists; name another file, or replace it with --overwrite."
    if reason:
        raise typer.BadParameter(reason, param_hint="'--output'")
    return path


def _heard(captioner: Captioner, file: Path, seed: int, whole: bool) -> list[Caption]:
    """The timed captions of a recording, or the one of the ``whole``."""
    decoding = DecodingChoices().decoding(captioner, seed=seed)
    if not whole:
        with Display() as display:
            found = captioner.timeline(file, decoding=decoding)
            captions = []
            for caption in found:
                captions.append(caption)
                display.progress("seconds heard", round(found.sound.heard_s), 0)
            return captions
    (captioned,) = captioner.stream([file], decoding, batch_size=1, allow_urls=False)
    if captioned.error:
        raise captioned.error
    if note := captioned.heard.note:
        say("note", note)
    assert captioned.caption is not None
    return [captioned.caption]
