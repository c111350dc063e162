"""SPICE by the published Java program, and spice-py, our own F-score of scene graphs, without it.

official.py runs the program, stanford.py finds its parser's files, java/ lets it write on a Java
without JavaScript. spice-py reads captions with parsing.py, relations.py and tuples.py, and
compares them with graph.py and the synonyms of wordnet.py.
"""

from auricle.metrics.spice.official import spice
from auricle.metrics.spice.python import spice_py

__all__ = ["spice", "spice_py"]
