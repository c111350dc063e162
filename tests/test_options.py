"""Options that become a dataclass: what typer shows of it, what the command is given."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from auricle.cli.options import Decoding, DeviceName, Seed, spread
from auricle.decoding.options import DecodeOptions


@pytest.fixture
def app():
    """A command of options before, in and after `Decoding`; ``app.given`` is what it was called
    with."""
    app = typer.Typer()

    @app.command()
    @spread
    def command(
        name: str, *, seed: Seed = 0, decoding: Decoding, device: DeviceName = "auto"
    ) -> None:
        """What it does."""
        app.given = (name, seed, decoding, device)

    return app


def test_options_left_out_change_nothing(app):
    assert CliRunner().invoke(app, ["rain"]).exit_code == 0
    assert app.given == ("rain", 0, Decoding(), "auto")
    assert Decoding().decode is None
    assert set(Decoding().changes().values()) == {None}
    assert Decoding().changes().keys() <= DecodeOptions.__dataclass_fields__.keys()


def test_options_become_one_value(app):
    line = (
        "--decode diverse-beam --top-p 0.5 --forbid dog --forbid cat --device cuda:1 --seed 3 rain"
    )
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    name, seed, decoding, device = app.given
    assert (name, seed, decoding.decode, device) == ("rain", 3, "diverse-beam", "cuda:1")
    changes = {key: value for key, value in decoding.changes().items() if value is not None}
    assert changes == {"top_p": 0.5, "forbidden_words": ("dog", "cat")}


def test_help_and_errors_are_those_of_single_options(app):
    shown = CliRunner().invoke(app, ["--help"]).stdout
    places = [shown.index(text) for text in ("What it does", "--seed", "--decode", "--device")]
    assert places == sorted(places)
    refused = CliRunner().invoke(app, ["rain", "--top-p", "2"])
    assert (refused.exit_code, "--top-p" in refused.stderr) == (2, True)
    assert CliRunner().invoke(app, ["rain", "--device", "cuda:one"]).exit_code == 2
