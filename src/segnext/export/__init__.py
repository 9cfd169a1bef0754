"""Files for other runtimes, each compared with ours before it gets its name."""
