"""The error that users may cause and can mend."""


class SegNextError(Exception):
    """Bad input: the message is one sentence naming what is wrong and what to do about it."""


class NoRoomError(SegNextError):
    """Nothing more can be written, so that what comes next would fail too."""


def require_setting(holds: bool, name: str, value: object, wanted: str) -> None:
    """Refuse a setting that is not as `wanted`.

    Raises:
        SegNextError: when it does not hold: "NAME is VALUE; it must be WANTED".
    """
    if not holds:
        raise SegNextError(f"{name} is {value}; it must be {wanted}")
