"""Sounds: the index that the service searches, and which of its files may leave the machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Self, TypeVar

from auricle.errors import DataError, ModelError, OutputError, QueryError
from auricle.printable import printable
from auricle.search.place import NAME
from auricle.search.search import Library
from auricle.serve.problems import RequestError

if TYPE_CHECKING:
    from auricle.search.rows import Sound

LOG = logging.getLogger("auricle.serve")
MOST_WAITING = 64  # searches
ANYTHING = "sound"

T = TypeVar("T")


class Sounds:
    """The index in ``folder``, asked by one thread; a context manager.

    `auricle index` may bring it up to date meanwhile, and make it anew.

    Raises, on entry, DataError and ModelError: there is no index, it is damaged, or its model
    cannot be loaded or is another one now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._library: Library | None = None
        self._file: tuple[int, int] | None = None  # of the open index
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, "search")

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.push(self.__exit__)
            self._opened().search(ANYTHING, limit=1)  # loads what the first search needs
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._close()

    async def ask(self, question: Callable[[Library], T]) -> T:
        """The answer to a question.

        Raises:
            RequestError: too many wait, or the index cannot be read now.
            QueryError: as `Library.search`.
        """
        if self._waiting >= MOST_WAITING:
            raise RequestError(
                429, "too_busy", f"{self._waiting} searches wait; come again later", retry_after_s=1
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._answer, question)
        finally:
            self._waiting -= 1

    def _answer(self, question: Callable[[Library], T]) -> T:
        try:
            return question(self._opened())
        except QueryError:
            raise
        except (DataError, ModelError, OutputError) as error:  # they name folders of this machine
            LOG.error("%s", error)
            raise RequestError(
                503, "index_unavailable", "the index cannot be read now; the service's log says why"
            ) from error

    def _opened(self) -> Library:
        """The library, opened again when another file has taken its place."""
        file = None
        with contextlib.suppress(OSError):
            found = (self.folder / NAME).stat()
            file = found.st_dev, found.st_ino
        if self._library is None or file != self._file:
            self._close()
            self._library, self._file = Library(self.folder), file
        return self._library

    def _close(self) -> None:
        library, self._library = self._library, None
        if library:
            library.close()


class Folders:
    """The indexed folders by the names that clients see: their last parts, as many as tell them
    apart. No client learns, or gives, a path of this machine.

    Attributes:
        names: name -> absolute path.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self.names: dict[str, str] = {}
        paths = sorted(paths)
        tails = {path: PurePath(path).parts[1:] for path in paths}
        for path in paths:
            parts = tails[path]
            count = 1
            while count < len(parts) and any(
                other[-count:] == parts[-count:] for one, other in tails.items() if one != path
            ):
                count += 1
            self.names[printable("/".join(parts[-count:])) or "files"] = path

    def name_of(self, audio: str) -> str:
        """What clients call a file: the name of its folder and the way from there."""
        within = [
            (len(folder), name, folder)
            for name, folder in self.names.items()
            if PurePath(audio).is_relative_to(folder)
        ]
        if not within:
            return printable(PurePath(audio).name)
        _, name, folder = max(within)
        way = PurePath(audio).relative_to(folder).as_posix()
        return name if way == "." else f"{name}/{printable(way)}"

    def path_of(self, name: str) -> str:
        """The absolute path of what clients call ``name``: an indexed folder, or one below.

        Raises RequestError: there is none.
        """
        for known in sorted(self.names, key=len, reverse=True):
            if name == known or name.startswith(f"{known}/"):
                way = name[len(known) + 1 :]
                if ".." not in PurePath(way).parts:
                    return str(Path(self.names[known], way))
        raise RequestError(
            422,
            "invalid_setting",
            f"folder: {printable(name)[:200]!r} is not indexed; see /v1/index",
            "folder",
        )

    @cached_property
    def _roots(self) -> list[Path]:
        return [Path(path).resolve() for path in self.names.values()]

    def file_of(self, sound: Sound) -> Path:
        """The file of a sound, without links.

        Raises RequestError: it is gone, or lies in no indexed folder.
        """
        with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: links in a circle
            path = Path(sound.audio).resolve(strict=True)
            if path.is_file() and any(map(path.is_relative_to, self._roots)):
                return path
        raise self.gone(sound)

    def gone(self, sound: Sound) -> RequestError:
        return RequestError(
            404,
            "file_gone",
            f"{self.name_of(sound.audio)}: the file is not there any more; bring the index up to"
            " date: auricle index",
        )


def sound_of(library: Library, id: int) -> tuple[Sound, Folders]:
    """A sound, and the folders of its index.

    Raises RequestError: there is none.
    """
    for sound in library.index.sounds([id]):
        return sound, Folders(library.index.folders())
    raise RequestError(404, "sound_not_found", f"{id}: no such sound in the index; search again")
