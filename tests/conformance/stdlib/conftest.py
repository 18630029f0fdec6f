from __future__ import annotations

import pytest

_INTERNALS = "asserts on the attributes and threads of ProcessPoolExecutor"
_THREADS = "of ThreadPoolExecutor: its threads, or memory shared with them"
_OUTPUT = (
    "what a call prints is kept with its outcome; tests/unit/test_concurrent.py proves the same by a file"
)
_EXIT = "a call that exits raises CallExited with the code, as PyWren's contract wants"
_UNPICKLING = "what cannot be unpickled fails its own call, with its own exception, and breaks no pool"
_MULTIPROCESSING = "passes objects of multiprocessing to workers, which are not its children"
_MAX_TASKS = "max_tasks_per_child is not offered: what a call leaves behind is undone, or its worker replaced"

EXCLUDED = {
    "test_init.py::FailingInitializerResourcesTest": _INTERNALS,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_idle_process_reuse_multiple": _INTERNALS,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_idle_process_reuse_one": _INTERNALS,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_killed_child": (
        "a dead worker costs only its own call, which is run again; tests/unit/test_concurrent.py"
    ),
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_max_tasks": _MAX_TASKS,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_max_workers_negative": (
        "the workers belong to local_executor(workers=0), a ValueError in its own words"
    ),
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_python_finalization_error": _INTERNALS,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_ressources_gced_in_workers": _MULTIPROCESSING,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_saturation": _MULTIPROCESSING,
    "test_process_pool.py::LocalProcessPoolExecutorTest::test_traceback": (
        "the remote traceback is the exception's own, not a _RemoteTraceback; tests/unit/test_concurrent.py"
    ),
    "test_shutdown.py::ThreadPoolShutdownTest": _THREADS,
    "test_wait.py::ThreadPoolWaitTests": _THREADS,
    "test_shutdown.py::LocalProcessPoolShutdownTest::test_context_manager_shutdown": _INTERNALS,
    "test_shutdown.py::LocalProcessPoolShutdownTest::test_del_shutdown": _INTERNALS,
    "test_shutdown.py::LocalProcessPoolShutdownTest::test_hang_gh83386": _OUTPUT,
    "test_shutdown.py::LocalProcessPoolShutdownTest::test_interpreter_shutdown": _OUTPUT,
    "test_shutdown.py::LocalProcessPoolShutdownTest::test_processes_terminate": _INTERNALS,
    "test_shutdown.py::LocalProcessPoolShutdownTest::test_shutdown_no_wait": _INTERNALS,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_error_at_task_unpickle": _UNPICKLING,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_error_during_result_unpickle": _UNPICKLING,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_exit_at_task_unpickle": _EXIT,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_exit_during_func_exec_on_worker": _EXIT,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_exit_during_result_pickle_on_worker": _EXIT,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_exit_during_result_unpickle": _UNPICKLING,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_gh105829": _INTERNALS,
    "test_deadlock.py::LocalExecutorDeadlockTest::test_shutdown_deadlock_pickle": _INTERNALS,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for prefix, reason in EXCLUDED.items():
            if f"stdlib/{prefix}" in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=reason))
