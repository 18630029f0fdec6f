"""Perceptrons on shards on the emulated AWS: bytes and requests of an epoch, against what has to travel."""

from __future__ import annotations

from _bench import Bench, main
from _emulated import emulated
from learning import drawn

from wrenml import aws_executor
from wrenml.ml.linear_model import ParallelPerceptron

_EPOCHS = 10
_SHARDS = 4


def measure(bench: Bench) -> None:
    """Count what an epoch costs on the emulated AWS, against a model up and one down for each shard."""
    rows = drawn(bench.size(40_000, 30_000), 2**14, 20)
    model = ParallelPerceptron(n_shards=_SHARDS, random_state=0)
    weights = 8 * (2**14 + 1)
    with emulated({}, concurrency=2) as aws, aws_executor() as executor:
        # Until both environments have met all shards.
        model.set_params(n_epochs=_EPOCHS, executor=executor).fit(*rows)
        for average, models in ((False, 1), (True, 2)):
            moved = []
            for epochs in (1, 1 + _EPOCHS):
                aws.counts()
                model.set_params(n_epochs=epochs, average=average).fit(*rows)
                executor.session.monitor.wait_until_idle()
                bodies, counts = aws.moved(), aws.counts()
                requests = sum(number for kind, number in counts.items() if kind.startswith(("s3:", "lambda:Invoke")))
                moved.append((bodies["up"], bodies["down"], requests))
            up, down, requests = ((after - before) / _EPOCHS / _SHARDS for before, after in zip(*moved, strict=True))
            which = "averaged" if average else "plain"
            # Up: what a worker learned, and once for all shards where to begin. Down: both.
            bench.limit(f"{which}: up, models a shard and epoch", up / weights, 1.1 * (models + 1 / _SHARDS), "")
            bench.limit(f"{which}: down, models a shard and epoch", down / weights, 1.1 * (models + 1), "")
            bench.limit(f"{which}: requests a shard and epoch", requests, 8, "")


if __name__ == "__main__":
    main(__file__, "perceptrons on shards on the emulated AWS", measure)
