"""Files and folders that a config expects the user to have: there, or refused in one sentence."""

from test_settings import check, columns_source, refusal, with_value


def test_local_files_must_exist(tmp_path):
    config = columns_source(tmp_path)
    assert str(tmp_path / "train.csv") in refusal(config)
    (tmp_path / "train.csv").touch()
    check(config)
    config["sources"]["mine"]["test"] = str(tmp_path / "test.csv")
    assert f"{tmp_path / 'test.csv'}, which does not exist" in refusal(config)


def test_a_local_base_model_must_exist(tmp_path):
    message = refusal(with_value("biases.base_model", str(tmp_path / "bert")))
    assert f"{tmp_path / 'bert'}, which does not exist" in message
    (tmp_path / "bert").mkdir()
    check(with_value("biases.base_model", str(tmp_path / "bert")))


def test_a_misspelt_base_model_names_the_downloads():
    message = refusal(with_value("biases.base_model", "encodr"))
    assert "encodr, which does not exist" in message
    assert "text, encoder" in message


def test_a_pan_folder_must_exist(tmp_path):
    config = with_value("sources.tweets", {"kind": "pan16", "path": str(tmp_path / "pan")})
    assert f"{tmp_path / 'pan'}, which does not exist" in refusal(config)


def test_a_source_that_is_not_used_need_not_exist(tmp_path):
    config = columns_source(tmp_path)
    config["biases"]["source"] = "tweets"
    check(config)
