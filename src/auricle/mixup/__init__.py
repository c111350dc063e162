"""Caption mix-ups: one caption from two captions of different clips, for clips that are mixed.

This is the paper's augmentation (Wu et al., ICASSP 2024): a language model writes the captions, or
grammar rules do. The raw answers are stored (`auricle.mixup.answers`), then filtered into a
manifest for training.
"""
