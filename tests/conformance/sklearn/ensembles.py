"""A pytest plugin: scikit-learn's tests of ensembles meet wrenml's classes, whose trees grow on two local workers."""

from __future__ import annotations

import pytest
import sklearn.ensemble._bagging
import sklearn.ensemble._forest

import wrenml.ml.ensemble as ours
from tests.conformance.sklearn.replacing import Replaced

EXCLUDED = {
    "test_backend_respected": "trees grow on the executor's workers, whatever backend is set around the fit",
    "test_metadata_routing_with_dynamic_method_selection": "the estimators note themselves in the tests' own process",
}


def pytest_configure(config: pytest.Config) -> None:
    modules = (
        sklearn.ensemble,
        sklearn.ensemble._bagging,  # noqa: SLF001  # where the tests import them from
        sklearn.ensemble._forest,  # noqa: SLF001
    )
    config.pluginmanager.register(Replaced(ours, modules, EXCLUDED))
