"""Caption mix-ups: two captions of different clips written into one, for clips that are mixed.

The paper's augmentation (Wu et al., ICASSP 2024): a language model writes the captions, or grammar
does where there is none. What it answers is kept raw in rows (`auricle.mixup.answers`), which are
filtered into a manifest that training reads.
"""
