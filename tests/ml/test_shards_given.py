from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
import sklearn.preprocessing

from wrenml import inline_executor
from wrenml.ml.ensemble import RandomPatchesClassifier
from wrenml.ml.linear_model import LogisticRegression, ParallelPartialFit, ParallelPerceptron
from wrenml.ml.preprocessing import MinMaxScaler, StandardScaler

FRAME = pd.DataFrame({"shards": np.arange(20) % 4, "weight": np.arange(20.0) / 20})
LABELS = np.arange(20) // 10
LEARNERS: dict[str, Callable[..., Any]] = {
    "full batch": LogisticRegression,
    "perceptron": ParallelPerceptron,
    "partial_fit": lambda **more: ParallelPartialFit(sklearn.linear_model.SGDClassifier(), **more),
}
SCALERS = [
    (MinMaxScaler, sklearn.preprocessing.MinMaxScaler),
    (StandardScaler, sklearn.preprocessing.StandardScaler),
]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_frame_with_a_column_of_shards_is_rows(name: str) -> None:
    with inline_executor() as executor:
        model = LEARNERS[name](executor=executor).fit(FRAME, LABELS)

        assert model.predict(FRAME).shape == (20,)


@pytest.mark.parametrize(("ours", "theirs"), SCALERS, ids=["bounds", "moments"])
def test_such_a_frame_is_scaled(ours: Callable[..., Any], theirs: Callable[..., Any]) -> None:
    with inline_executor() as executor:
        scaled = ours(executor=executor).fit(FRAME).transform(FRAME)

    np.testing.assert_allclose(scaled, theirs().fit_transform(FRAME))


def test_the_rows_of_patches_stay_those_that_were_learned() -> None:
    with inline_executor() as executor:
        model = RandomPatchesClassifier(n_estimators=3, random_state=0, executor=executor)
        model.fit(FRAME.to_numpy(), LABELS)
    before = [rows.tolist() for rows in model.estimators_samples_]

    model.set_params(max_samples=0.2)

    assert [rows.tolist() for rows in model.estimators_samples_] == before
