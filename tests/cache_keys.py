"""The keys under which Snakemake's output cache would keep results: `python cache_keys.py PROJECT FOLDER...`

Prints JSON: for each working directory the key of each cached output of everything that its config.yaml asks for, by
`rule path`. Nothing is run. A process of its own, because Snakemake changes the one that it runs in.
"""

import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.caching.hash import ProvenanceHashMap
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    ResourceSettings,
    WorkflowSettings,
)


def cache_keys(project: Path, folder: Path) -> dict[str, str]:
    """Return the keys of one working directory: of outputs that have one key, one replaces the other."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        parsed = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(),
            workflow_settings=WorkflowSettings(cache=[]),
            snakefile=project / "Snakefile",
            workdir=folder,
        )
        workflow = parsed.dag(DAGSettings(targets={"all"})).workflow_api._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=False, lock_warn_only=False, nolock=True)
        workflow._build_dag()
        hashes, keys = ProvenanceHashMap(), {}
        for job in workflow.dag.jobs:
            if job.rule.cache.output:
                key = workflow.async_run(hashes.get_provenance_hash(job))
                for file, name in workflow.output_file_cache.get_outputfiles(job):
                    keys[f"{job.rule.name} {file}"] = key + name
        return keys


if __name__ == "__main__":
    project, *folders = map(Path, sys.argv[1:])
    print(json.dumps({folder.name: cache_keys(project, folder) for folder in folders}))
