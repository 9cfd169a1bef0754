"""How long each stage from picture file to mask takes, way by way, beside what the machine can do at most."""
