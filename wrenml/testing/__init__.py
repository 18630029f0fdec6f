"""What a test of a program that uses wrenml, or of a new backend, needs: contract suites and faults.

The modules here are imported one by one; those with contract suites need pytest (``wrenml[testing]``).

`wrenml.testing.storage_contract`
    `ObjectsContract`, `OutcomesContract` and both together, `StorageContract`: what every storage must do.
`wrenml.testing.storage_faults`
    `FlakyStorage` and `SlowStorage`: a storage that fails or dawdles as told.
"""

from __future__ import annotations
