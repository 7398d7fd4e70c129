"""Listeners of the live stream, all in one process of their own.

``python -m tests.benchmarks._stream_listeners URL COUNT`` opens so many WebSockets,
prints ``ready``, and, once its standard input ends, when each marked span has reached
each of them: a JSON object of lists of monotonic seconds. Frames are searched, not
parsed: a hundred browsers would parse them on a hundred machines.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Final

from websockets.asyncio.client import connect

MARK: Final = "marked-"
_SPAN: Final = re.compile(rb'"kind":"span"[^{}]*?"agent":"(marked-\d+)"')
_MISSED: Final = b'"kind":"missed"'


async def main(url: str, count: int) -> None:
    """Listen until standard input ends, and print what came when."""
    seen: dict[str, list[float]] = {}
    frames = missed = size = 0
    ready = asyncio.Semaphore(0)

    async def listen() -> None:
        nonlocal frames, missed, size
        async with connect(url, compression=None, proxy=None, max_size=None) as stream:
            ready.release()
            while True:
                frame = await stream.recv(decode=False)
                now_s = time.monotonic()
                frames += 1
                size += len(frame)
                missed += frame.count(_MISSED)
                if b'"marked-' in frame:
                    for mark in set(_SPAN.findall(frame)):
                        seen.setdefault(mark.decode(), []).append(now_s)

    listening = [asyncio.create_task(listen()) for _ in range(count)]
    for _ in range(count):
        await ready.acquire()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    cpu_s = time.process_time()
    print(
        json.dumps(
            {
                "seen": seen,
                "frames": frames,
                "missed": missed,
                "bytes": size,
                "cpu_s": cpu_s,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
