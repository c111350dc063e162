"""Scores of captions and of embeddings, one file per family: corpus values and one per item."""
