"""The one waiting loop: it hands calls to workers and settles futures from outcomes."""
