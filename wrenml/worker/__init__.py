"""The code that runs calls: the same on Lambda, in local worker processes and inline."""
