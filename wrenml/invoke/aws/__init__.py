"""Lambda as a backend: requests go out as asynchronous invocations, outcomes are found in the bucket."""
