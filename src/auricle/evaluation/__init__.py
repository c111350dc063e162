"""Evaluation: files of predictions and references -> scores, comparisons and reports."""
