"""scikit-learn's text vectorizers over an executor: the same names, parameters and results."""

from __future__ import annotations

from wrenml.ml.text.counting import CountVectorizer
from wrenml.ml.text.hashing import HashingVectorizer
from wrenml.ml.text.hashing_tfidf import HashingTfidfVectorizer
from wrenml.ml.text.tfidf import TfidfVectorizer

__all__ = ["CountVectorizer", "HashingTfidfVectorizer", "HashingVectorizer", "TfidfVectorizer"]
