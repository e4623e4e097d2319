"""Which card a `GPU_ID` means, and whether a process really has it.

`GPU_ID` is the host's index, as `nvidia-smi` prints it. Inside a container that sees one
card every index starts at 0 again, CUDA may count in another order, and `/dev/nvidiaN` is
the kernel's minor number: only the UUID means the same everywhere. The core and the worker
both resolve it here; stdlib and ctypes only, Python 3.8.
"""
