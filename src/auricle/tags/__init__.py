"""Write-back: captions in the tags of the recordings that they describe, and the way back.

The sound stays bit-identical, other programs' tags stay, and every writing can be undone.
"""
