from wrenml.storage.base import Buffer, Commit, Objects, Storage
from wrenml.storage.local import LocalStorage
from wrenml.storage.memory import MemoryStorage
from wrenml.storage.opening import open_storage
from wrenml.storage.prefixed import PrefixedStorage
from wrenml.storage.s3 import S3Storage

__all__ = [
    "Buffer",
    "Commit",
    "LocalStorage",
    "MemoryStorage",
    "Objects",
    "PrefixedStorage",
    "S3Storage",
    "Storage",
    "open_storage",
]
