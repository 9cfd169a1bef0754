"""From pictures to masks: loading weights, one picture, many files."""
