"""Linear models learned on shards: by perceptrons, by gradients, as means of models, and by any `partial_fit`."""

from __future__ import annotations

from wrenml.ml.linear_model.averaging import average_linear_models
from wrenml.ml.linear_model.history import LearningRound, LearningState, history_to_frame
from wrenml.ml.linear_model.logistic import LogisticRegression
from wrenml.ml.linear_model.partial_fit import ParallelPartialFit
from wrenml.ml.linear_model.perceptron import ParallelPerceptron
from wrenml.ml.linear_model.sgd import ParallelSGDClassifier
from wrenml.ml.linear_model.svc import LinearSVC

__all__ = [
    "LearningRound",
    "LearningState",
    "LinearSVC",
    "LogisticRegression",
    "ParallelPartialFit",
    "ParallelPerceptron",
    "ParallelSGDClassifier",
    "average_linear_models",
    "history_to_frame",
]
