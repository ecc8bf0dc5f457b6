"""Before any job: is the configuration sound, can the run write, and did a killed one leave anything behind?"""

import os
import signal
import sys

import yaml
from snakemake.exceptions import WorkflowError

from fuse_to_forget import studies
from fuse_to_forget.errors import InputError
from fuse_to_forget.settings import check_config
from fuse_to_forget.slurm import cancel_orphans, has_slurm
from fuse_to_forget.workdir import check_cache, release_stale_lock
from fuse_to_forget.writable import check_writable

# `cache: True` would mean a warning for each such rule at every start without --cache.
CACHE = workflow.enable_cache

try:
    with open(workflow.source_path("../schemas/config.schema.yaml")) as schema:
        check_config(config, yaml.safe_load(schema))
    studies.check_studies(config)
    if workflow.is_main_process:
        check_writable(".snakemake")
    if CACHE:
        check_cache(os.environ.get("SNAKEMAKE_OUTPUT_CACHE"))
except InputError as error:
    raise WorkflowError(str(error))

# of the main process, and of a job on a node
ON_CLUSTER = workflow.resource_settings.nodes is not None or workflow.remote_exec

# A killed run on a cluster may have jobs that still write: where they cannot be cancelled the lock is left to the user.
if workflow.is_main_process and (not ON_CLUSTER or has_slurm()):
    release_stale_lock(cluster=ON_CLUSTER)

# A warning of SLURM before time is up: trainings save a checkpoint, and Snakemake's own processes must survive it.
if not workflow.is_main_process:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


onstart:
    try:
        check_writable("results", "logs")
        if workflow.is_main_process and ON_CLUSTER and has_slurm():
            orphans = cancel_orphans()
            if orphans:
                print("Cancelled jobs of a killed run:", *orphans, file=sys.stderr)
    except InputError as error:
        raise WorkflowError(str(error))
