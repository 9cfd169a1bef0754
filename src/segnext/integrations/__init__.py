"""SegNeXt inside the libraries that people use; each module needs its library, and nothing else imports it."""
