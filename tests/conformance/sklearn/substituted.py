"""A pytest plugin: scikit-learn's tests meet wrenml's classes and functions under scikit-learn's names.

The names are replaced in scikit-learn's modules before its test modules import them. Cells run on two local workers.
"""

from __future__ import annotations

import pytest
import sklearn.experimental.enable_halving_search_cv  # there are such classes only then
import sklearn.model_selection
import sklearn.model_selection._search
import sklearn.model_selection._search_successive_halving
import sklearn.model_selection._validation

import wrenml.ml.model_selection as ours
from tests.conformance.sklearn.replacing import Replaced

_REGISTRY = "asserts on a registry in the tests' own process of estimators and scorers, which work in another"

EXCLUDED = {
    "test_base_estimator_inputs": "the estimator notes its fits in a list of the tests' own process",
    "test_cross_val_score_score_func": "counts the calls of a scorer in the tests' own process",
    "test_cv_results": "the scorer draws from a generator in the tests' own process",
    "test_learning_curve_exploit_incremental_learning_routing": _REGISTRY,
    "test_multi_metric_search_forwards_metadata": _REGISTRY,
    "test_validation_functions_routing": _REGISTRY,
}


def pytest_configure(config: pytest.Config) -> None:
    modules = (
        sklearn.model_selection,
        sklearn.model_selection._search,  # noqa: SLF001  # where the tests import them from
        sklearn.model_selection._search_successive_halving,  # noqa: SLF001
        sklearn.model_selection._validation,  # noqa: SLF001
    )
    config.pluginmanager.register(Replaced(ours, modules, EXCLUDED))
