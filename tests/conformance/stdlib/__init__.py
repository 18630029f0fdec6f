import sys

from test import support

# What the tests of 3.13 use of test.support and older Pythons do not have; here, so that workers have it too.
if sys.version_info < (3, 13):
    support.Py_GIL_DISABLED = False
    support.requires_gil_enabled = lambda _reason: lambda test: test
    support.skip_if_sanitizer = lambda _reason, **_sanitizers: lambda test: test
