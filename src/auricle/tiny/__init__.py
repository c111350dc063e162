"""The making of the embedded model and of the fluency detector.

captions ─► tags ─────────┐
labelled sounds ─► tracks ─┴─► pseudo-recordings ─► batches ─► embedded model
captions ─► broken captions ─► fluency detector
"""
