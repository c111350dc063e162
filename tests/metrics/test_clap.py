"""CLAP: a small random checkpoint in the published format, against transformers used by hand."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.nn import functional as F

from auricle.audio.load import load_audio
from auricle.data.clip import Clip
from auricle.errors import ModelError
from auricle.metrics import evaluate
from auricle.metrics.clap import ClapSpace
from auricle.metrics.space import CLAP, Grounding

SAID = ["a dog barks", "rain falls"]
MEANT = [["a dog", "barking"], ["rain"]]


def checkpoint(folder: Path, fusion: bool) -> Path:
    """Files as of laion/clap-htsat-unfused (or -fused), 2 s at once in the place of 10."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        RobertaTokenizerFast,
    )

    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(
        ["a dog barks while rain falls"],
        trainers.BpeTrainer(vocab_size=300, special_tokens=marks, initial_alphabet=alphabet),
    )
    bpe.model.save(str(folder))
    vocab, merges = str(folder / "vocab.json"), str(folder / "merges.txt")
    tokenizer = RobertaTokenizerFast(vocab=vocab, merges=merges, model_max_length=60)
    layers = {"hidden_size": 16, "num_hidden_layers": 2, "projection_dim": 8}
    text = {"num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 64}
    audio = {
        "window_size": 4, "num_mel_bins": 16, "spec_size": 64, "patch_size": 2,
        "patch_stride": [2, 2], "patch_embeds_hidden_size": 8, "depths": [1, 1],
        "num_attention_heads": [2, 2], "mlp_ratio": 2.0, "enable_fusion": fusion,
    }  # fmt: skip
    config = ClapConfig(
        text_config={**layers, **text, "vocab_size": len(tokenizer)},
        audio_config={**layers, **audio},
        projection_dim=8,
    )
    torch.manual_seed(0)
    ClapModel(config).save_pretrained(folder)
    how = "fusion" if fusion else "rand_trunc"
    extractor = ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation=how)
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("clap"), fusion=False)


@pytest.fixture
def clips(tmp_path):
    found = []
    for number, (seconds, rate) in enumerate([(1.5, 16_000), (5.0, 44_100)]):
        noise = np.random.default_rng(number).standard_normal(int(seconds * rate)) * 0.1
        soundfile.write(tmp_path / f"{number}.wav", noise, rate)
        found.append(Clip(tmp_path / f"{number}.wav", tuple(MEANT[number]), str(number)))
    return found


def by_hand(folder, waveform):
    """Of at most 2 s at 48 kHz."""
    from transformers import ClapModel, ClapProcessor

    model, processor = (
        ClapModel.from_pretrained(folder).eval(),
        ClapProcessor.from_pretrained(folder),
    )
    with torch.no_grad():
        features = processor.feature_extractor(waveform, sampling_rate=48_000, return_tensors="pt")
        hidden = model.audio_model(**features).pooler_output
        sound = F.normalize(model.audio_projection(hidden), dim=-1)[0]
        ids = processor.tokenizer(SAID, padding=True, return_tensors="pt")
        texts = model.text_projection(model.text_model(**ids).pooler_output)
    return sound, F.normalize(texts, dim=-1)


def test_cosines_are_those_of_transformers_at_48_khz(folder, clips):
    short = replace(clips[1], start_s=1.0, end_s=2.5)
    found = evaluate(
        SAID, MEANT, ["clap-sim"], grounding=Grounding((clips[0], short), clap=str(folder))
    )
    score = found[f"clap-sim ({folder.name})"]
    for number, (start, end) in enumerate([(0.0, None), (1.0, 2.5)]):
        heard = load_audio(clips[number].audio, 48_000, start_s=start, end_s=end).waveform
        assert len(heard) == 72_000
        sound, texts = by_hand(folder, heard)
        assert score.items[number] == pytest.approx(float(sound @ texts[number]), abs=1e-5)


@pytest.mark.parametrize("fusion", [False, True])
def test_long_recordings_are_heard_whole_and_always_alike(tmp_path, clips, fusion):
    (tmp_path / "m").mkdir()
    place = checkpoint(tmp_path / "m", fusion)
    np.random.seed(0)  # the extractor draws from it
    first = ClapSpace(str(place)).sounds(clips)
    np.random.seed(1)
    second = ClapSpace(str(place)).sounds(list(reversed(clips))).flip(0)
    assert torch.allclose(first, second, atol=1e-6)
    assert first.norm(dim=-1).tolist() == pytest.approx([1.0, 1.0])
    starts = [(0.0, 2.0), (2.0, 4.0), (4.0, 5.0)]
    parts = ClapSpace(str(place)).sounds(
        [replace(clips[1], start_s=start, end_s=end) for start, end in starts]
    )
    mean = (parts * torch.tensor([2.0, 2.0, 1.0])[:, None]).sum(dim=0)
    assert torch.allclose(F.normalize(mean, dim=0), first[1], atol=1e-2)  # cut before resampling


def test_mace_like_is_by_clap_where_a_checkpoint_is_named(folder, clips):
    grounding = Grounding(tuple(clips), clap=str(folder))
    found = evaluate(SAID, MEANT, ["mace-like", "clap-sim"], grounding=grounding)
    space = ClapSpace(str(folder))
    texts, meant = space.texts(SAID), space.texts(["a dog", "barking", "rain"])
    text = [float((meant[:2] @ texts[0]).mean()), float(meant[2] @ texts[1])]
    mace = next(s for s in found.scores if s.name.startswith(f"MACE-like ({folder.name}"))
    sound = next(s for s in found.scores if s.name.startswith("clap-sim")).items
    expected = [(a + b) / 2 for a, b in zip(sound, text, strict=True)]
    assert mace.items == pytest.approx(expected, abs=1e-6)


def test_without_the_checkpoint_it_is_said_what_to_fetch(monkeypatch, clips, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = evaluate(SAID, MEANT, ["clap-sim"], grounding=Grounding(tuple(clips)))
    reason = found.missing[0].reason
    assert CLAP in reason
    assert "hf download" in reason
    assert "--clap" in found.missing[0].command
    (tmp_path / "wrong").mkdir()
    with pytest.raises(ModelError, match="no CLAP"):
        ClapSpace(str(tmp_path / "wrong"))


def test_a_checkpoint_that_names_code_or_absurd_windows_is_refused(folder, tmp_path):
    copy = Path(shutil.copytree(folder, tmp_path / "clap"))
    (path,) = copy.glob("*processor_config.json")
    values = json.loads(path.read_text())
    extractor = values.get("feature_extractor", values)
    path.write_text(json.dumps(values | {"auto_map": {"AutoProcessor": "canary.Canary"}}))
    with pytest.raises(ModelError, match="auto_map names code"):
        ClapSpace(str(copy))
    extractor["max_length_s"] = 10**6
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="no CLAP"):
        ClapSpace(str(copy))
