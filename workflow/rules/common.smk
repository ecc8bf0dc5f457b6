import os

import yaml
from snakemake.exceptions import WorkflowError

from fuse_to_forget.errors import InputError
from fuse_to_forget.protocol import switches
from fuse_to_forget.provenance import code_version
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.settings import check_config, check_study
from fuse_to_forget.workdir import release_stale_lock

try:
    with open(workflow.source_path("../schemas/config.schema.yaml")) as schema:
        check_config(config, yaml.safe_load(schema))
    check_study(config)
except InputError as error:
    raise WorkflowError(str(error))

# A killed run on a cluster may have jobs that still write: there the lock is left to the user.
if workflow.is_main_process and workflow.resource_settings.nodes is None:
    release_stale_lock()

os.environ["HF_HUB_OFFLINE"] = "1"  # for every job; only rule download takes it away


envvars:
    "HF_HUB_OFFLINE",


SEEDS = config["seeds"]
PROTOCOL = switches(config["protocol"], config["departures"])
BIASES = config["biases"]["subsets"]["biases"]
ATTRIBUTES = [bias["attribute"] for bias in BIASES]
MODELS = [*ATTRIBUTES, "full"]
PAIR = "-".join(ATTRIBUTES)


def base_model(wildcards):
    """Folder of a study's base model: downloaded, or the user's own."""
    name = config[wildcards.study]["base_model"]
    return f"results/downloads/{name}" if name in config["downloads"] else name


def download_settings(wildcards):
    """What to fetch, and from where."""
    return config["downloads"][wildcards.download]


def source_inputs(wildcards):
    """What a study's source is read from, under the names that the source's entry uses for it."""
    source = config["sources"][config["biases"]["source"]]
    if "download" in source:
        return {"download": f"results/downloads/{source['download']}"}
    return {
        key: source[key] for key in ("path", "train", "dev", "test") if source.get(key)
    }


def study_setting(*keys):
    """Return a params function: one value of the config of the job's study."""

    def setting(wildcards):
        value = config[wildcards.study]
        for key in keys:
            value = value[key]
        return value

    return setting


def seed_number(wildcards):
    """The training seed as a number."""
    return int(wildcards.seed)


def job_seed(use):
    """Return a params function: the seed of this job, from the wildcard {seed} and what it is for."""

    def seed(wildcards):
        identity = [value for key, value in sorted(wildcards.items()) if key != "seed"]
        return derive_seed(int(wildcards.seed), use, *identity)

    return seed


def model_kind(wildcards):
    """`full` for the model trained on all subsets, else `single`."""
    return "full" if wildcards.model == "full" else "single"


def recipe_models(wildcards):
    """Names of the models that a fused model is made from."""
    return config[wildcards.study]["recipes"][wildcards.recipe].get(
        "models", ATTRIBUTES
    )


def recipe_coefficients(wildcards):
    """Their coefficients, in the same order."""
    return config[wildcards.study]["recipes"][wildcards.recipe]["coefficients"]


def recipe_weights(wildcards):
    """Their weights, which lie in their checkpoint folders."""
    return expand(
        "results/models/{study}/{model}/seed{seed}/model.safetensors",
        study=wildcards.study,
        model=recipe_models(wildcards),
        seed=wildcards.seed,
    )


def more_memory(mem_mb):
    """Return a resource function: this much memory, and as much again at each further attempt."""

    def grow(wildcards, attempt):
        return mem_mb * attempt

    return grow
