"""Make token sequences of articles, and disjoint subsets of them for the models of one run."""

import pandas as pd

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.subsets.sequences import Layout, check_length, draw_subsets, load_tokenizer

if __name__ == "__main__":
    with job(snakemake.log[0]):
        switches = snakemake.params.switches
        layout = Layout(
            **snakemake.params.sequences,
            objective=snakemake.params.objective,
            separator=switches["document_separator"] == "token",
            by_article=switches["subsets_disjoint_by"] == "article",
        )
        check_length(snakemake.input.base, layout.length)
        tokenizer = load_tokenizer(snakemake.input.base)
        frames = []
        for split, sizes in snakemake.params.sizes.items():
            articles, metadata = read_table(snakemake.input[split])
            drawn = draw_subsets(articles, sizes, tokenizer, layout, snakemake.params.seed)
            frames += [frame.assign(dataset=name) for name, frame in drawn.items()]
        sequences = pd.concat(frames, ignore_index=True)
        write_table(sequences, snakemake.output.sequences, metadata)
        print(sequences.groupby("dataset", sort=False)[["id", "article"]].nunique())
