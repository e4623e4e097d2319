"""The chaos site's own code in every worker (Python 3.8): what was read, and poison.

The model echoes its input, so `postprocess` sees the pixels that went the whole way: file,
decoder, tensor, network.
"""

from __future__ import annotations

import ctypes
from typing import Any

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def transform(image: Any) -> Any:
    """Pixels as they are, but for the two colours that end or stop the process."""
    first = tuple(int(value) for value in image[0, 0])
    if first == RED:
        ctypes.string_at(0)  # SIGSEGV
    if first == BLUE:
        ctypes.PyDLL(None).pause()  # holds the interpreter's lock: not even heartbeats leave
    return image


def postprocess(outputs: list[Any]) -> dict[str, str]:
    """`seen`: the picture's bits, as `chaos_pictures.code_of` wrote them."""
    if tuple(int(value) for value in outputs[0][:, 0, 0]) == GREEN:
        ctypes.string_at(0)  # SIGSEGV, in whatever process runs the network
    bits = outputs[0][1].reshape(-1) > 127
    number = int("".join("01"[int(bit)] for bit in bits), 2)
    return {"seen": f"{number:0{len(bits) // 4}x}"}
