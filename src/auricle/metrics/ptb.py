"""Penn Treebank tokens of captions, as in the published scores.

The published tokens are those of Stanford CoreNLP 3.4.1 (``PTBTokenizer -preserveLines
-lowerCase``) without the punctuation that pycocoevalcap's ptbtokenizer.py removes. Nearly all
captions have only plain words, for which the rules below give the same tokens; captions with
anything else (digits among letters, slashes, accents, "p.m.") go to the Java program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from auricle.errors import AuricleError, MissingDependencyError
from auricle.metrics.java import OPTIONS, ask, carried, find_java, missing_metric

PUNCTUATION = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())
_JAR = ("tokenizer", "stanford-corenlp-3.4.1.jar")
_PROGRAM = "edu.stanford.nlp.process.PTBTokenizer"
_TIMEOUT_S = 600.0  # 5,000 captions take a second or two

# Facts about that tokenizer, found by testing every string of up to four letters (five before a
# period) and the words of large English word lists, alone and before each mark.
_SPLIT = {
    "cannot": ("can", "not"),
    "gimme": ("gim", "me"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "lemme": ("lem", "me"),
    "wanna": ("wan", "na"),
}
_ABBREVIATIONS = frozenset(  # and every single letter: they may keep their period
    """adj adm adv al ala alex apr ariz art assn assoc asst atty attys aug ave bancorp bhd bldg blvd
    brig bros ca calif capt cf cie cmdr co col colo comdr conn corp cos cpl ct dak dec dept det dr
    drs elec ens esq est etc ext feb fig figs fla fri ft ga gen gov govs hon inc ind insp intl invt
    jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mfg mich minn mlle mme mo mon mont
    mr mrs ms msgr mt mtg natl neb nev no nos nov oct okla op penn pfc ph plc pp ppte pptes ppty
    pptys pres prof profs prop pte ptes pty ptys pvt rd rep reps rev rt sen sens sep sept seq sfc
    sgt spc sq sr st ste supt supts sys tel tenn thu thurs treas tue tues univ va vs vt wed wis wisc
    wm wyo""".split()
)
_STATES = frozenset("ark az del ill la mass miss ore pa tex wash".split())  # "Wash.", not "wash."

_BRACKET = re.compile(r"(?:(?<=\s)|^)\((?=[A-Za-z])|(?<=[A-Za-z])\)(?=[ .,;:?!]|$)")
_BRACKETS = {"(": "-lrb-", ")": "-rrb-"}
_NUMBERS = re.compile(r"\d\W+\d")  # may be one telephone number
_BREAKS = re.compile("\r\n|[\n\r\v\f\u2028\u2029]")
_PIECE = re.compile(
    r"""(?P<word>[A-Za-z]+(?:-[A-Za-z]+)*)
        (?: (?P<end>'(?:s|m|d|re|ve|ll)) | (?P<owners>(?<=[A-Za-z]s)') )?
        (?P<mark>[.,;:?!]?)""",
    re.VERBOSE,
)
_NOT = re.compile(r"(?P<word>[A-Za-z]*[A-MO-Za-mo-z])n't[.,;:?!]?")
_LIST = re.compile(r"(?P<words>[A-Za-z]+(?:,[A-Za-z]+)*),(?P<last>[A-Za-z]+[.,;:?!]?)")
_BARE = re.compile(r"(?P<number>\d{1,4})[,;:?!]?|[.,;:?!]|--?|")


def tokenize(captions: Sequence[str]) -> list[tuple[str, ...]]:
    """The lower-case tokens of each caption, without punctuation.

    A line break inside a caption counts as a space. The result equals pycocoevalcap's PTBTokenizer
    on the same list, except for two bugs of its input file: there, line breaks other than "\\n"
    shift all later captions, and the last caption has no end of line.

    Raises:
        MissingMetricError: captions need the Java program, and there is no Java.
        AuricleError: the program failed.
    """
    lines = [_BREAKS.sub(" ", caption) for caption in captions]
    tokens = [by_rules(line) for line in lines]
    hard = [i for i, found in enumerate(tokens) if found is None]
    if hard:
        sent = sorted({j for i in hard for j in _read_with(i, lines)})
        answered = dict(zip(sent, _by_java([lines[j] for j in sent], len(hard)), strict=True))
        for i in hard:
            tokens[i] = answered[i]
    return [found for found in tokens if found is not None]


def _read_with(i: int, lines: Sequence[str]) -> range:
    """A line and the lines that the program reads after it, up to the next that is not blank."""
    end = i + 1
    while end < len(lines) and not lines[end].strip():
        end += 1
    return range(i, min(end + 1, len(lines)))


def by_rules(caption: str) -> tuple[str, ...] | None:
    """The tokens of a caption of plain words; None if it contains anything else."""
    if not caption.isascii() or _NUMBERS.search(caption):
        return None
    caption = _BRACKET.sub(r" \g<0> ", caption.replace('"', " "))
    tokens: list[str] = []
    for piece in caption.split(" "):
        found = _piece(piece)
        if found is None:
            return None
        tokens += found
    return tuple(tokens)


@lru_cache(maxsize=1 << 16)
def _piece(piece: str) -> tuple[str, ...] | None:
    """The tokens of a piece between two spaces; None if no rule covers it."""
    if piece in _BRACKETS:
        return (_BRACKETS[piece],)
    if bare := _BARE.fullmatch(piece):
        return (bare["number"],) if bare["number"] else ()
    if negated := _NOT.fullmatch(piece):
        return (negated["word"].lower(), "n't")
    if listed := _LIST.fullmatch(piece):
        first = (token for word in listed["words"].split(",") for token in _word(word.lower()))
        last = _piece(listed["last"])
        return None if last is None else (*first, *last)
    found = _PIECE.fullmatch(piece)
    if not found:
        return None
    word, end = found["word"].lower(), found["end"]
    if (end or found["owners"]) and (len(word) == 1 or word in _SPLIT):
        return None
    if found["mark"] == "." and not end and _keeps_period(found["word"]):
        return None
    return (*_word(word), end) if end else _word(word)


def _keeps_period(word: str) -> bool:
    """Whether "word." may be one token, depending on what follows."""
    low = word.lower()
    return (
        len(low.rpartition("-")[2]) == 1
        or low in _ABBREVIATIONS
        or (low in _STATES and word != low)
    )


def _word(word: str) -> tuple[str, ...]:
    return _SPLIT.get(word, (word,))


def _by_java(lines: Sequence[str], hard: int) -> list[tuple[str, ...]]:
    try:
        command = [str(find_java()), *OPTIONS, "-cp", str(carried(*_JAR)), _PROGRAM]
    except MissingDependencyError as error:
        few = "1 caption holds" if hard == 1 else f"{hard} captions hold"
        need = f"{few} more than plain words, which takes Java"
        raise missing_metric("PTB tokens", error, need) from error
    reply = ask("PTB tokenizer", [*command, "-preserveLines", "-lowerCase"], lines, _TIMEOUT_S)
    if reply.status or len(reply.lines) != len(lines):
        raise AuricleError(
            f"the PTB tokenizer gave {len(reply.lines)} lines for {len(lines)} captions: "
            f"{reply.complaint or 'nothing'}"
        )
    return [
        tuple(word for word in line.rstrip().split(" ") if word and word not in PUNCTUATION)
        for line in reply.lines
    ]
