"""The Ray cluster of a batch: that of an address, or one of this machine alone, which is quiet."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle import __version__
from auricle.errors import ClusterError, in_one_line
from auricle.extras import module

DECODER_BYTES = 512 << 20  # of memory: 64 clips of 30 s, and their copy that is sent
STORE_BYTES = 384 << 20  # for decoded chunks that wait, per actor of a Ray of this machine
SEES_S = 120.0  # in which a node must say whether it can do the job


@dataclass(frozen=True)
class Needs:
    """What an actor is given: memory, and a GPU or a processor."""

    gpus: int
    memory_bytes: int

    @property
    def actor(self) -> dict[str, float]:
        return {"num_gpus" if self.gpus else "num_cpus": 1, "memory": self.memory_bytes}

    @property
    def decoder(self) -> dict[str, float]:
        return {"num_cpus": 1, "memory": DECODER_BYTES}

    def room(self, node: dict[str, float]) -> int:
        """How many actors a node with these resources has room for."""
        processors = node.get("GPU" if self.gpus else "CPU", 0)
        return int(min(processors, node.get("memory", 0) // self.actor["memory"]))


@contextlib.contextmanager
def connected(address: str | None, workers: int) -> Iterator[Any]:
    """The module ray, connected to the cluster at ``address``, or to one of this machine that is
    started for ``workers`` actors and ended; a connection that is there already stays.

    Raises:
        ClusterError: there is no such cluster; or Ray fails later.
        MissingDependencyError: Ray is not installed.
    """
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    ray = module("ray", "ray")
    module("ray.data", "ray")
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    own = {
        "num_cpus": workers,
        "object_store_memory": STORE_BYTES * workers,
        "include_dashboard": False,
    }
    is_mine = not ray.is_initialized()
    try:
        if is_mine:
            with _silence():
                ray.init(
                    address or "local",
                    logging_level=logging.CRITICAL,
                    log_to_driver=False,
                    **({} if address else own),
                )
            # What ends a worker is told in rows; Ray would print it among the progress.
            ray._private.worker._worker_logs_enabled = False
        yield ray
    except (ConnectionError, ray.exceptions.RayError, ray.data.exceptions.SystemException) as error:
        raise ClusterError(
            f"Ray {address or 'of this machine'}: {in_one_line(error)}; what is committed stays, so"
            " correct it and run the same again with --resume"
        ) from error
    finally:
        if is_mine:
            ray.shutdown()


def room(ray: Any, folder: str, needs: Needs) -> int:
    """How many actors the nodes have room for.

    Raises ClusterError: none has; or one cannot do the job.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    found = sum(needs.room(node["Resources"]) for node in nodes)
    if not found:
        wanted = (
            f"{'GPU' if needs.gpus else 'processor'} and {needs.actor['memory'] / 2**30:.1f} GB"
        )
        raise ClusterError(
            f"Ray: a worker needs a {wanted} of memory, which no node has; add one that has them"
        )
    if len(nodes) > 1:
        _check_nodes(ray, nodes, folder)
    return found


def _check_nodes(ray: Any, nodes: list[dict[str, Any]], folder: str) -> None:
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    look = ray.remote(num_cpus=0, max_retries=0)(_seen)
    asked = {
        node["NodeManagerHostname"]: look.options(
            scheduling_strategy=affinity(node["NodeID"], soft=False)
        ).remote(folder)
        for node in nodes
    }
    for name, answer in asked.items():
        try:
            version, has_folder = ray.get(answer, timeout=SEES_S)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"Ray: node {name} cannot run auricle ({in_one_line(error)}); install auricle[ray]"
                f" {__version__} in the Python of its Ray"
            ) from error
        if version != __version__:
            raise ClusterError(
                f"Ray: node {name} has auricle {version}, this machine {__version__}; install the"
                " same everywhere"
            )
        if not has_folder:
            raise ClusterError(
                f"Ray: node {name} does not see {folder}; --output must be a folder that all nodes"
                " share"
            )


def _seen(folder: str) -> tuple[str, bool]:
    """Run by a node."""
    return __version__, Path(folder).is_dir()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Nothing on the standard error, where Ray's C++ tells which level of messages it was given."""
    before = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
