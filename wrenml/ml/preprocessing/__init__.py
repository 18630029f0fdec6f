"""Scaling and hashing of features over shards: scikit-learn's, on the workers of an executor."""

from __future__ import annotations

from wrenml.ml.preprocessing.extremes import MaxAbsScaler, MinMaxScaler
from wrenml.ml.preprocessing.hashing import FeatureHasher
from wrenml.ml.preprocessing.standard import StandardScaler

__all__ = ["FeatureHasher", "MaxAbsScaler", "MinMaxScaler", "StandardScaler"]
