"""Read the articles of section 6 and set apart those that are held out."""

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import write_table
from fuse_to_forget.sources.article_splits import read_articles, split_articles

if __name__ == "__main__":
    with job(snakemake.log[0]):
        sizes = dict(snakemake.params.splits)
        seed = sizes.pop("seed")
        data = read_articles(snakemake.params.source | dict(snakemake.input.items()))
        articles = split_articles(data, sizes, seed)
        for split, frame in articles.splits.items():
            metadata = {"description": articles.description, "dataset": snakemake.params.name, "split": split}
            write_table(frame, snakemake.output[split], metadata)
            print(f"{split}: {len(frame)} articles")
