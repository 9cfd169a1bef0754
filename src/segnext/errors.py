"""The error that users may cause and can mend."""


class SegNextError(Exception):
    """Bad input: the message is one sentence naming what is wrong and what to do about it."""
