"""Linear models learned on shards: averaged perceptrons, means of models, and any `partial_fit` over shards."""

from __future__ import annotations

from wrenml.ml.linear_model.averaging import average_linear_models
from wrenml.ml.linear_model.partial_fit import ParallelPartialFit
from wrenml.ml.linear_model.perceptron import ParallelPerceptron

__all__ = ["ParallelPartialFit", "ParallelPerceptron", "average_linear_models"]
