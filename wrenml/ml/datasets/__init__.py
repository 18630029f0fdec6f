"""Data sets in shards, on a disk or in S3: written once, read where they are needed."""

from __future__ import annotations

from wrenml.ml.datasets.dataset import ShardedDataset
from wrenml.ml.datasets.shards import DatasetShard

__all__ = ["DatasetShard", "ShardedDataset"]
