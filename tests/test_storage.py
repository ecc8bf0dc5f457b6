"""Results on S3: the same command with two options more, and the same bytes."""

import hashlib

import pytest
from conftest import ROOT
from workflow_runs import make_project, results_of, run

pytest.importorskip("moto.server", reason="no S3 server to test against: pip install 'moto[server]'")
pytest.importorskip("snakemake_storage_plugin_s3", reason="pip install snakemake-storage-plugin-s3")
boto3 = pytest.importorskip("boto3")

FUSED = "results/fused/biases/average/seed1/model.safetensors"
ON_S3 = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://bucket/run1"]


@pytest.fixture
def bucket(monkeypatch):
    """An empty bucket, and the variables with which Snakemake finds it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    settings = {"ENDPOINT_URL": url, "ACCESS_KEY": "test", "SECRET_KEY": "test", "REGION": "us-east-1"}
    for name, value in settings.items():
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", value)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    bucket = boto3.resource("s3", endpoint_url=url, **keys).Bucket("bucket")
    bucket.create()
    yield bucket
    server.stop()


def digests_in(bucket) -> dict[str, str]:
    """Digests of all results in the bucket, by path, as `results_of` gives them."""
    prefix = "run1/results/"
    objects = bucket.objects.filter(Prefix=prefix)
    return {
        item.key.removeprefix(prefix): hashlib.sha256(item.get()["Body"].read()).hexdigest()
        for item in objects
    }


def test_a_study_on_s3_has_the_bytes_of_a_local_run_and_is_made_once(bucket, made_project, tmp_path):
    project = make_project(tmp_path / "project")
    run(project, "biases", FUSED, *ON_S3)
    found = digests_in(bucket)
    assert {"table1.csv", "figure5.png", "models/biases/full/seed1/model.safetensors"} <= found.keys()
    assert FUSED.removeprefix("results/") in found
    local = results_of(made_project)
    made = {name: digest for name, digest in found.items() if not name.startswith("fused/")}
    assert made == {name: local[name] for name in made}
    assert not (project / "results" / "models").exists()
    assert "Nothing to be done" in run(project, "biases", FUSED, *ON_S3)


def test_scripts_take_every_path_from_snakemake():
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        assert "results/" not in script.read_text(), script.name
