"""Forms: the fields of requests, which are the options of the command line, and what they become.

Values are checked by the library itself, whose messages name the field, the rule and the fix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from auricle.annotations import ANNOTATIONS
from auricle.decoding.options import DecodeMethod
from auricle.records import Caption
from auricle.schema import SEEDS
from auricle.serve.problems import RequestError
from auricle.settings import Decoding
from auricle.subtitles.compose import composed
from auricle.subtitles.documents import Document, Format
from auricle.subtitles.guidelines import Guidelines, preset
from auricle.text.fluency import FluencyFilter
from auricle.timeline.options import TimelineOptions
from auricle.writers import TIMELINE_WRITERS, document

OF_DECODING = (
    *("candidates", "temperature", "top_p", "top_k", "min_length", "max_length"),
    *("no_repeat_ngram", "fluency"),
)
SUBTITLES = ("srt", "vtt")
MEDIA_TYPES = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "text": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "table": "text/csv; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "textgrid": "text/plain; charset=utf-8",
    "audacity": "text/plain; charset=utf-8",
    "eaf": "application/xml; charset=utf-8",
}


def _unicode(text: str) -> str:
    """A client may name an encoding that gives halves of letters, such as one of Python's own."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds what is no letter; send it as UTF-8") from None
    return text


Unicode: TypeAlias = Annotated[str, AfterValidator(_unicode)]


class DecodingForm(BaseModel):
    """The model and its decoding; a field that is left out keeps the model's setting."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="See /v1/models; the first is the default.")
    decode: DecodeMethod | None = Field(None, description="Decoding method.")
    candidates: int | None = Field(None, description="Samples, or beams, per recording.")
    temperature: float | None = Field(None, description="Nucleus: temperature, above 0.")
    top_p: float | None = Field(None, description="Nucleus: probability kept.")
    top_k: int | None = Field(None, description="Nucleus: number of tokens kept; 0 keeps all.")
    min_length: int | None = Field(None, description="Tokens, with the start.")
    max_length: int | None = Field(None, description="Tokens, with start and end.")
    no_repeat_ngram: int | None = Field(
        None, description="No so many tokens in a row repeat; 0 allows it."
    )
    forbid: list[Unicode] = Field([], description="Words that no caption holds.")
    fluency: FluencyFilter | None = Field(
        None, description="The detector that a caption must pass; off judges none."
    )
    seed: Annotated[int, Field(ge=SEEDS.least, le=SEEDS.most)] = Field(
        0, description="The same seed, the same captions."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="Captions with less confidence are not believed."
    )

    @model_validator(mode="before")
    @classmethod
    def _underscores(cls, given: Any) -> Any:
        """The names of the command line have hyphens."""
        if not isinstance(given, dict):
            return given
        return {str(name).replace("-", "_"): value for name, value in given.items()}

    def decoding(self, captioner: Any, explain: bool = False) -> Decoding:
        """The captioner's settings with these changes.

        Raises:
            RequestError: they cannot be used.
        """
        given = {name: getattr(self, name) for name in OF_DECODING}
        given["forbidden_words"] = tuple(self.forbid) or None
        try:
            found: Decoding = captioner.decoding(
                self.decode,
                seed=self.seed,
                every_term=explain,
                min_confidence=self.min_confidence,
                **given,
            )
        except ValueError as error:
            raise RequestError(422, "invalid_setting", str(error)) from error
        return found


class CaptionForm(DecodingForm):
    """The fields of a request for captions."""

    file: list[UploadFile] = Field(description="A recording; repeat it for more.")
    format: Literal["json", "jsonl", "text", "csv", "table"] = Field(
        "json", description="json: the records; table: CSV for spreadsheets."
    )
    max_duration: float | None = Field(
        None, ge=0.1, description="Hear only so many seconds from the start."
    )
    explain: bool = Field(False, description="Compute every term of every candidate.")


class SpanForm(DecodingForm):
    """How recordings are cut into timed captions."""

    min_duration: float = Field(0.2, description="Leave out sounds that are audible for less.")
    max_duration: float | None = Field(None, description="Cut longer captions.")
    sensitivity: float = Field(
        0.5, description="0 takes what is far above the background, 1 what hardly is."
    )
    hop: float | None = Field(
        None, description="Seconds between the windows in which a long sound is heard."
    )

    @property
    def options(self) -> TimelineOptions:
        """Raises RequestError: they are out of range."""
        try:
            return TimelineOptions(
                min_duration_s=self.min_duration,
                max_duration_s=self.max_duration,
                sensitivity=self.sensitivity,
                hop_s=self.hop,
            )
        except ValueError as error:
            raise RequestError(422, "invalid_setting", str(error)) from error


class SubtitleForm(SpanForm):
    """How timed captions are written as subtitles."""

    profile: Literal["plain", "sdh"] = Field(
        "plain",
        description="Of srt and vtt: captions as they are, or cues for deaf and hard-of-hearing"
        " viewers.",
    )
    preset: Literal["netflix", "bbc"] = Field(
        "netflix", description="Whose guidelines the cues of sdh follow."
    )
    audience: Literal["adults", "children"] = Field(
        "adults", description="Who must have time to read."
    )
    case: Literal["lower", "upper", "sentence"] | None = Field(
        None, description="Letters of a label; by default the preset's."
    )
    brackets: Literal["square", "round", "none"] | None = Field(
        None, description="Around a label; by default the preset's."
    )
    frame_rate: float | None = Field(
        None, description="Of the video: cues begin and end on its frames."
    )
    cue_duration: float | None = Field(
        None, description="A cue's time on screen at most, in seconds."
    )
    full_length: bool = Field(False, description="Cues stay as long as their sound, up to 7 s.")

    @property
    def guidelines(self) -> Guidelines | None:
        """None for captions as they are. Raises RequestError: they are out of range."""
        if self.profile == "plain":
            return None
        try:
            return preset(
                self.preset,
                self.audience,
                case=self.case,
                brackets=self.brackets,
                frame_rate_hz=self.frame_rate,
                cue_s=self.cue_duration,
                full_length=self.full_length,
            )
        except ValueError as error:
            raise RequestError(422, "invalid_setting", str(error)) from error

    def document(
        self, format: str, captions: Sequence[Caption], duration_s: float, name: str
    ) -> str:
        """The timed captions of a recording as a document."""
        if format in SUBTITLES:
            found: Document = composed(captions, cast("Format", format), self.guidelines, None)
            return str(found)
        if format in ANNOTATIONS:
            return ANNOTATIONS[format].write(captions, duration_s, name)
        return document(TIMELINE_WRITERS[format], captions)


class TimelineForm(SubtitleForm):
    """The fields of a request for a timeline."""

    file: UploadFile = Field(description="The recording.")
    format: Literal["json", "jsonl", "csv", "srt", "vtt", "textgrid", "audacity", "eaf"] = Field(
        "json", description="json: the records; subtitles; files of Praat, Audacity and ELAN."
    )
