"""Foreign data sets to our folder layout: one module per source format, each with `open_source(options)`.

`options` says what can be asked for, `pairs` and `splits` find what belongs together, a format's module tells how a
mask is read, and `run` writes the data set and the report of everything that was and was not imported.
"""
