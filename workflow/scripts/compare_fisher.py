"""Compare the Fisher information of two models, or of one model's two seeds."""

from pathlib import Path

from fuse_to_forget.files import atomic_path, folder_of
from fuse_to_forget.fisher.comparison import Crafting, Estimation, compare_models
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.subsets.injection import WORDS
from fuse_to_forget.subsets.wordpieces import load_wordpieces
from fuse_to_forget.training.facts import learned

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        settings, switches = snakemake.params.settings, snakemake.params.switches
        words = switches["insert_between"] == "words"
        dev, _ = read_table(snakemake.input.dev)
        folders = [Path(weights).parent for weights in snakemake.input.weights]
        overlaps = compare_models(
            snakemake.params.models,
            folders,
            dev,
            settings["examples"],
            Crafting(
                tokenization=WORDS if words else load_wordpieces(folder_of(snakemake.input.base)),
                position_ties=switches["position_ties"] == "allow",
                reverse_token_in_context=switches["reverse_token_in_context"],
                seed=snakemake.params.injection_seed,
            ),
            Estimation(
                batch_size=settings["batch_size"],
                groups=settings["groups"],
                max_length=snakemake.params.max_length,
                level=snakemake.params.level,
            ),
        )
        knows = learned(snakemake.input.facts)
        lacking = [f"{model} (seed {seed})" for model, seed in knows if not knows[model, seed]]
        overlaps = overlaps.assign(seed=snakemake.params.seed, not_learned=", ".join(lacking))
        with atomic_path(snakemake.output.overlaps) as scratch:
            overlaps.to_csv(scratch, index=False, lineterminator="\n")
