"""What a job was given by the machine or cluster that it runs on: for a first look, before hours are asked for."""

import os
import socket

from fuse_to_forget.environment import installed_versions


def describe_allocation(*, threads: int, gpus: int) -> str:
    """Return lines of `name: value`: node, processors, GPUs and the versions of the libraries that training uses.

    `threads` and `gpus` are what was asked for.
    """
    import torch  # slow to import, and nothing else here needs it

    visible = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    facts = {
        "node": socket.gethostname(),
        "SLURM job": os.environ.get("SLURM_JOB_ID", "none"),
        "processors": f"{torch.get_num_threads()} in use, {threads} asked for",
        "GPUs": f"{', '.join(visible) or 'none visible, so models run on the processor'}; {gpus} asked for",
        "bfloat16": "yes" if visible and torch.cuda.is_bf16_supported() else "no: training is in float32",
    }
    versions = {name: value for name, value in installed_versions().items() if name in _TRAINING}
    return "".join(f"{name}: {value}\n" for name, value in {**facts, **versions}.items())


_TRAINING = ("python", "torch", "transformers", "snakemake")
