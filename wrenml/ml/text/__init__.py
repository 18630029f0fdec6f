"""scikit-learn's text vectorizers over an executor: the same names, parameters and results."""

from __future__ import annotations

from wrenml.ml.text.counting import CountVectorizer, TfidfVectorizer
from wrenml.ml.text.hashing import HashingVectorizer

__all__ = ["CountVectorizer", "HashingVectorizer", "TfidfVectorizer"]
