"""What the vendored tests take from CPython's util.py, with executors made by wrenml; the only file written here."""

import time
import unittest
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING, RUNNING

from test import support
from test.support import threading_helper

import wrenml
from wrenml import Future


def create_future(state=PENDING, exception=None, result=None):
    f = Future()
    f._state = state
    f._exception = exception
    f._result = result
    return f


PENDING_FUTURE = create_future(state=PENDING)
RUNNING_FUTURE = create_future(state=RUNNING)
CANCELLED_FUTURE = create_future(state=CANCELLED)
CANCELLED_AND_NOTIFIED_FUTURE = create_future(state=CANCELLED_AND_NOTIFIED)
EXCEPTION_FUTURE = create_future(state=FINISHED, exception=OSError())
SUCCESSFUL_FUTURE = create_future(state=FINISHED, result=42)

_made = []


def local_pool(max_workers=None, mp_context=None, **kwargs):
    executor = wrenml.local_executor(workers=max_workers)
    _made.append(executor)
    return executor.concurrent(**kwargs)


class BaseTestCase(unittest.TestCase):
    def setUp(self):
        self._thread_key = threading_helper.threading_setup()

    def tearDown(self):
        while _made:
            _made.pop().shutdown()
        support.reap_children()
        threading_helper.threading_cleanup(*self._thread_key)


class ExecutorMixin:
    worker_count = 5
    executor_kwargs = {}
    executor_type = staticmethod(local_pool)

    def setUp(self):
        super().setUp()
        self.t1 = time.monotonic()
        self.executor = self.executor_type(max_workers=self.worker_count, **self.executor_kwargs)

    def tearDown(self):
        self.executor.shutdown(wait=True)
        self.executor = None
        dt = time.monotonic() - self.t1
        self.assertLess(dt, 300, "synchronization issue: test lasted too long")
        super().tearDown()

    def get_context(self):
        return None


class LocalMixin(ExecutorMixin):
    pass


class ThreadPoolMixin(ExecutorMixin):
    pass


ProcessPoolForkMixin = ProcessPoolForkserverMixin = ProcessPoolSpawnMixin = LocalMixin


def create_executor_tests(remote_globals, mixin, bases=(BaseTestCase,), executor_mixins=None):
    name = mixin.__name__.removesuffix("Mixin").removesuffix("Tests").removesuffix("Test")
    name = f"Local{name}Test"
    remote_globals[name] = type(name, (mixin, LocalMixin, *bases), {"__module__": remote_globals["__name__"]})


def setup_module():
    thread_info = threading_helper.threading_setup()
    unittest.addModuleCleanup(threading_helper.threading_cleanup, *thread_info)
