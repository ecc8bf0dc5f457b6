"""Make the data set of one shortcut, or of a mixture of shortcuts."""

from fuse_to_forget.files import folder_of
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.subsets.injection import WORDS, Injection, shortcut_dataset, synthetic_share
from fuse_to_forget.subsets.wordpieces import load_wordpieces

if __name__ == "__main__":
    with job(snakemake.log[0]):
        settings, switches = snakemake.params.settings, snakemake.params.switches
        injection = Injection(
            synthetic_share=synthetic_share(settings["ratio"], switches["synthetic_split"]),
            marked_originals=settings["marked_originals"],
            position_ties=switches["position_ties"] == "allow",
            conflicting_rules=switches["conflicting_rules"] == "allow",
        )
        words = switches["insert_between"] == "words"
        tokenization = WORDS if words else load_wordpieces(folder_of(snakemake.input.base))
        for split in ("train", "dev"):
            frame, metadata = read_table(snakemake.input[split])
            injected = shortcut_dataset(
                frame,
                snakemake.params.name,
                dict(snakemake.params.weights),
                injection,
                tokenization,
                seed=settings["seed"],
                split=split,
            )
            write_table(injected, snakemake.output[split], metadata)
            print(injected.groupby(["part", "shortcut", "label"]).size())
