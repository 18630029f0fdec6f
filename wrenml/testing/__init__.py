"""What a test of a program that uses wrenml, or of a new backend, needs: contract suites and faults.

The modules here are imported one by one; those with contract suites need pytest (``wrenml[testing]``).

`wrenml.testing.executor_contract`
    `ExecutorContract` and its parts: what every executor must do.
`wrenml.testing.invoker_contract`
    `InvokerContract`: what every invoker, that which starts workers, must do.
`wrenml.testing.faults`
    Arguments, results and calls that fail as named, `KilledWorker`, and invokers that lose, double and reorder.
`wrenml.testing.emulator`
    `Emulator`: an AWS on loopback, whose functions run the deployed package.
`wrenml.testing.mocked`
    `MockedAWS`: AWS inside this process, whose functions really run the worker; `wrenml.testing.plugin` has fixtures.
`wrenml.testing.samples`
    The functions that the contracts call on workers.
`wrenml.testing.storage_contract`
    `ObjectsContract`, `OutcomesContract` and both together, `StorageContract`: what every storage must do.
`wrenml.testing.storage_faults`
    `FlakyStorage` and `SlowStorage`: a storage that fails or dawdles as told.
"""

from __future__ import annotations
