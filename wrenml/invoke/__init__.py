"""Backends: how a worker is started. They never wait, retry or report; one monitor does."""
