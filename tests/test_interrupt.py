"""Ctrl-C ends a process whose threads, or whose main thread, never come back."""

import signal
import subprocess
import sys
import time

import pytest

PATIENCE = 1.0  # seconds, in place of the usual ones
if sys.platform == "win32":
    pytest.skip("Ctrl-C goes to all processes of a console there", allow_module_level=True)

HEAD = f"""
import ctypes, os, signal, threading, time
from segnext import interrupt
from segnext.interrupt import end_when_interrupted, graceful
interrupt.PATIENCE = {PATIENCE}
end_when_interrupted()
"""
IN_C = f"""{HEAD}
mutex = ctypes.create_string_buffer(64)
print("ready", flush=True)
while True:
    try:  # the second time it waits for ever, and no signal wakes it
        ctypes.CDLL(None).pthread_mutex_lock(mutex)
    except KeyboardInterrupt:
        pass
"""
IN_A_THREAD = f"""{HEAD}
threading.Thread(target=time.sleep, args=(600,)).start()
print("ready", flush=True)
time.sleep(600)
"""
GRACEFUL = f"""{HEAD}
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"noted\\n"))  # print may be at work already
with graceful():
    print("ready", flush=True)
    while True:
        time.sleep(600)
"""


def started(code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("code", [IN_C, IN_A_THREAD])
@pytest.mark.parametrize("times", [1, 2])
def test_it_ends_soon_and_at_once_if_asked_again(code: str, times: int) -> None:
    process = started(code)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    assert process.wait(PATIENCE + 10) in (130, -signal.SIGINT)  # the latter: Python was quicker
    process.communicate()


def test_who_ends_by_itself_is_given_the_time_until_asked_again() -> None:
    process = started(GRACEFUL)
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "noted\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(PATIENCE + 0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE + 10) == 130
    process.communicate()
