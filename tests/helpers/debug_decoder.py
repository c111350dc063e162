"""A small random model for the tests of decoding, what it heard, and slow, obvious rules."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from auricle.model.captioner import AudioCaptioner
from auricle.model.config import debug_config
from auricle.text.tokenizer import SPECIAL, UNK, CaptionTokenizer

VOCAB, EOS = 300, 2


def debug_model(seed=0):
    """Clips and methods differ, samples mostly too, and sequences end early or late."""
    torch.manual_seed(seed)
    model = AudioCaptioner(debug_config(VOCAB)).eval()
    decoder = model.decoder
    torch.nn.init.normal_(decoder.tokens.weight, std=0.3)
    for layer in decoder.modules():
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=0.15)
    torch.nn.init.constant_(decoder.logits_bias[EOS], 6.0)
    return model


@torch.no_grad()
def hear(model, lengths=(16_000, 12_000, 9_000)):
    """The memory of noises of some lengths in samples."""
    generator = torch.Generator().manual_seed(5)
    return model.encode([torch.randn(n, generator=generator) * 0.1 for n in lengths])


@torch.no_grad()
def read(model, memory, clips=slice(None)):
    return model.decoder.read_memory(memory.memory[clips], memory.lengths[clips])


def word_tokenizer():
    """Every token is a word, so that a caption re-tokenises to the tokens drawn."""
    words = [*SPECIAL, *(f"w{i}" for i in range(len(SPECIAL), VOCAB))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    return CaptionTokenizer(tokenizer)


@torch.no_grad()
def slow_log_p(model, cross, ids):
    """Log-probabilities [V] of the token after ``ids``, with no cache; of the first clip."""
    return model.decoder(torch.tensor([ids]), cross)[0, -1].log_softmax(-1)


def slow_constrain(scores, tokens, options):
    """The rules of `constrain`, one row and one n-gram at a time."""
    scores, n = scores.clone(), options.no_repeat_ngram
    for row, ids in enumerate(tokens.tolist()):
        for i in range(len(ids) - n + 1):
            if n > 0 and ids[i : i + n - 1] == ids[len(ids) - n + 1 :]:
                scores[row, ids[i + n - 1]] = -torch.inf
        if len(ids) < options.min_length:
            scores[row, EOS] = -torch.inf
        if len(ids) == options.max_length - 1:
            scores[row] = -torch.inf
            scores[row, EOS] = 0.0
    return scores
