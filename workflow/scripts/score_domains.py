"""Score the predictions of the domain study, by model and domain and by setting."""

from fuse_to_forget.domains import Domains
from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.domains import Evidence, measure_domains, score_domains, score_settings
from fuse_to_forget.scoring.scores import write_scores

if __name__ == "__main__":
    with job(snakemake.log[0]):
        params = snakemake.params
        predictions, _ = read_tables([*snakemake.input.models, *snakemake.input.methods])
        measured = measure_domains(predictions, Bootstrap(**params.bootstrap))
        study = Domains(**params.study)
        write_scores(score_domains(measured), snakemake.output.scores)
        settings = score_settings(Evidence(measured, study, params.methods, params.average))
        with atomic_path(snakemake.output.settings) as scratch:
            settings.to_csv(scratch, index=False, lineterminator="\n")
