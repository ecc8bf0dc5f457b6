"""Make token sequences of articles, and draw one of the disjoint subsets of them."""

from fuse_to_forget.files import folder_of
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.subsets.sequences import Layout, check_length, draw_subsets, load_tokenizer

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        layout = Layout(
            **params.sequences,
            objective=params.objective,
            separator=params.switches["document_separator"] == "token",
            by_article=params.switches["subsets_disjoint_by"] == "article",
        )
        base = folder_of(snakemake.input.base)
        check_length(base, layout.length)
        articles, metadata = read_table(snakemake.input.articles)
        drawn = draw_subsets(articles, params.sizes, load_tokenizer(base), layout, params.seed)
        sequences = drawn[params.name].assign(dataset=params.name)
        write_table(sequences, snakemake.output.sequences, metadata)
        print(f"{len(sequences)} sequences, mostly of {sequences['article'].nunique()} articles")
