"""Options that become a dataclass: what typer shows of it, what the command is given."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from auricle.cli.options import DecodingChoices, DeviceName, Seed, spread
from auricle.decoding.options import DecodeOptions


def asked(choices, **more):
    """What a captioner is asked for."""
    captioner = SimpleNamespace(decoding=lambda method, **settings: (method, settings))
    return choices.decoding(captioner, **more)


@pytest.fixture
def app():
    """A command of options before, in and after `DecodingChoices`; ``app.given`` is what it was
    called with."""
    app = typer.Typer()

    @app.command()
    @spread
    def command(
        name: str, *, seed: Seed = 0, choices: DecodingChoices, device: DeviceName = "auto"
    ) -> None:
        """What it does."""
        app.given = (name, seed, choices, device)

    return app


def test_options_left_out_change_nothing(app):
    assert CliRunner().invoke(app, ["rain"]).exit_code == 0
    assert app.given == ("rain", 0, DecodingChoices(), "auto")
    method, settings = asked(DecodingChoices())
    assert (method, settings.pop("seed")) == (None, 0)
    assert not any(settings.values())
    assert asked(DecodingChoices(), default="greedy")[0] == "greedy"
    assert settings.keys() - {"every_term", "min_confidence"} <= set(
        DecodeOptions.__dataclass_fields__
    )


def test_options_become_one_value(app):
    line = (
        "--decode diverse-beam --top-p 0.5 --forbid dog --forbid cat --device cuda:1 --seed 3 rain"
    )
    assert CliRunner().invoke(app, line.split()).exit_code == 0
    name, seed, choices, device = app.given
    assert (name, seed, device) == ("rain", 3, "cuda:1")
    method, settings = asked(choices, seed=seed)
    assert method == "diverse-beam"
    given = {key: value for key, value in settings.items() if value}
    assert given == {"seed": 3, "top_p": 0.5, "forbidden_words": ("dog", "cat")}


def test_settings_that_do_not_go_together_are_wrong_use():
    def decoding(method, **settings):
        raise ValueError("min_length=40: must be below max_length")

    with pytest.raises(typer.BadParameter, match="must be below max_length"):
        DecodingChoices(min_length=40).decoding(SimpleNamespace(decoding=decoding))


def test_help_and_errors_are_those_of_single_options(app):
    shown = CliRunner().invoke(app, ["--help"]).stdout
    places = [shown.index(text) for text in ("What it does", "--seed", "--decode", "--device")]
    assert places == sorted(places)
    refused = CliRunner().invoke(app, ["rain", "--top-p", "2"])
    assert (refused.exit_code, "--top-p" in refused.stderr) == (2, True)
    assert CliRunner().invoke(app, ["rain", "--device", "cuda:one"]).exit_code == 2
