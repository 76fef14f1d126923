"""``mien models``, ``mien doctor`` and ``mien completion``."""

import json
import re
import shutil
import subprocess

import pytest

from command import command, environment, mien, with_fakes
from mien.apps.cli.command_line import run
from mien.apps.cli.doctor import check_cameras
from mien.errors import ModelDamaged
from mien.models import ModelCard, resolve_model
from tiny import tiny_card, tiny_model


@pytest.fixture(autouse=True)
def mien_home(tmp_path, monkeypatch):
    folder = tmp_path / "mien_home"
    monkeypatch.setenv("MIEN_HOME", str(folder))
    return folder


# The list


def test_the_list_has_models_and_detectors(capsys):
    assert mien("models") == 0
    out = capsys.readouterr().out
    head, *rows = out.splitlines()
    assert head.split() == ["NAME", "KIND", "SIZE", "PEOPLE", "LABEL", "STATE", "DESCRIPTION"]
    assert any(row.startswith("base ") and " embedded " in row and " MB " in row for row in rows)
    assert any(row.startswith("yunet ") and "mien models pull yunet" in row for row in rows)


def test_the_list_as_json(capsys):
    assert mien("models", "--json") == 0
    lines = {line["name"]: line for line in json.loads(capsys.readouterr().out)}
    assert lines["base"]["size"] == resolve_model("base").stat().st_size
    assert lines["base"]["kind"] == "model"
    assert lines["yunet"]["state"].startswith("not downloaded")
    assert lines["yunet"]["people"] is lines["yunet"]["label"] is None


def test_the_list_has_the_accuracy_of_both_targets(capsys):
    assert mien("models") == 0
    [row] = [row for row in capsys.readouterr().out.splitlines() if row.startswith("base ")]
    card = ModelCard.read(resolve_model("base"))
    people, label = card.accuracy("people"), card.accuracy("label")
    assert f"{people:.1%}  {label:.1%}".replace("%", " %") in row
    # The card has four digits; the accuracy is that of a whole number of faces.
    assert label * card.metrics["faces"] == pytest.approx(round(label * card.metrics["faces"]), abs=1e-9)
    assert label == pytest.approx(card.metrics["accuracy"], abs=6e-5)


def test_the_list_has_no_accuracy_of_people_for_a_model_with_one_target(capsys):
    mien("models", "--json")
    lines = {line["name"]: line for line in json.loads(capsys.readouterr().out)}
    assert lines["classic"]["people"] is None
    assert lines["classic"]["label"] > 0.6


# Pull


def test_pull_installs_a_local_file(yunet_file, mien_home, capsys):
    assert mien("models", "pull", "yunet", "--from", yunet_file) == 0
    assert str(mien_home) in capsys.readouterr().out
    mien("models", "--json")
    states = {line["name"]: line["state"] for line in json.loads(capsys.readouterr().out)}
    assert states["yunet"] == "installed"


def test_pull_refuses_a_wrong_file(tmp_path, capsys):
    (tmp_path / "wrong.onnx").write_bytes(b"wrong")
    assert mien("models", "pull", "yunet", "--from", tmp_path / "wrong.onnx") == 1
    assert "truncated" in capsys.readouterr().err


def test_pull_of_an_unknown_name_is_an_error(capsys):
    assert mien("models", "pull", "yunett") == 1
    assert "Did you mean 'yunet'?" in capsys.readouterr().err


# Show


def test_show_prints_the_facts_of_the_card(tmp_path, capsys):
    metrics = {"PublicTest": {"accuracy": 0.5, "faces": 3589}}
    path = tmp_path / "mine.onnx"
    path.write_bytes(tiny_model(tiny_card(metrics=metrics, license="MIT", parameters=1234567)))
    assert mien("models", "show", path) == 0
    out = capsys.readouterr().out
    rows = (line.strip().split("  ", 1) for line in out.splitlines() if line.startswith("  "))
    facts = {name: value.strip() for name, value in rows}
    assert facts["expressions"].startswith("angry, disgust, fear")
    assert facts["input"] == "8 x 8 gray"
    assert facts["PublicTest"] == "accuracy 50.0 %, faces 3,589"
    assert facts["parameters"] == "1,234,567"


def test_show_groups_the_facts_and_explains_the_decision(capsys):
    assert mien("models", "show", "base") == 0
    paragraphs = {text.splitlines()[0]: text for text in capsys.readouterr().out.strip().split("\n\n")}
    card = ModelCard.read(resolve_model("base"))
    decision = paragraphs["Decision"]
    assert f"{card.decision['votes']:.2f} x logit of votes + {card.decision['label']:.2f} x logit of label" in decision
    assert "another expression has the most predicted votes" in decision
    [people] = [text for heading, text in paragraphs.items() if heading.startswith("People: ")]
    assert f"{card.metrics['people']['faces']:,} faces" in people
    assert f"{card.accuracy('people'):.1%}".replace("%", " %") in people
    assert "with an even prior" in people
    assert any(heading.startswith("Label: FER2013's label (PublicTest, 3,589 faces)") for heading in paragraphs)


def test_show_of_a_model_with_one_target_has_no_group_of_people(capsys):
    assert mien("models", "show", "classic") == 0
    out = capsys.readouterr().out
    assert "People: " not in out
    assert "softmax of" not in out
    assert re.search(r"^  mixture +none$", out, re.MULTILINE)


def test_show_json_prints_the_card(capsys):
    assert mien("models", "show", "base", "--json") == 0
    assert ModelCard.from_json(capsys.readouterr().out) == ModelCard.read(resolve_model("base"))


def test_show_prints_address_and_checksum_of_a_published_file(capsys):
    assert mien("models", "show", "yunet", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["address"].startswith("https://")
    assert len(facts["sha256"]) == 64


def test_show_of_an_unknown_model_is_an_error(capsys):
    assert mien("models", "show", "bass") == 1
    assert "Did you mean 'base'?" in capsys.readouterr().err


# Doctor


def find_checks(capsys, topic):
    findings = json.loads(capsys.readouterr().out)["findings"]
    return {finding["name"]: finding for finding in findings if finding["topic"] == topic}


def test_doctor_reports_a_working_installation(capsys):
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "Everything that reading needs is installed." in out
    assert "mien models pull yunet" in out
    assert "ms for 640 x 480" in out


def test_doctor_checks_every_topic(capsys):
    assert mien("doctor", "--json") == 0
    topics = {finding["topic"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert topics == {"package", "provider", "model", "detector", "timing", "camera", "extra", "folder"}


def test_missing_parts_have_a_command_that_installs_them(capsys):
    mien("doctor", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    missing = [finding for finding in findings if finding["state"] == "missing"]
    assert missing
    assert all(finding["remedy"].startswith(("pip install", "mien models pull")) for finding in missing)


def test_a_broken_model_is_reported_with_status_1(capsys):
    def load(*, model, detector, prior="training"):
        raise ModelDamaged("the model is cut off", "a whole file", "pip install it again")

    assert mien("doctor", load=load) == 1
    out = capsys.readouterr().out
    assert "broken" in out
    assert "pip install it again" in out


def test_installed_yunet_is_timed(yunet_file, mien_home, capsys):
    mien_home.mkdir()
    shutil.copy(yunet_file, mien_home / "face_detection_yunet_2026may.onnx")
    mien("doctor", "--json", load=with_fakes())
    assert set(find_checks(capsys, "timing")) == {"haar", "yunet", "none"}


def test_a_truncated_detector_file_is_reported_by_doctor_and_models(mien_home, capsys):
    mien_home.mkdir()
    (mien_home / "face_detection_yunet_2026may.onnx").write_bytes(b"cut off")
    assert mien("doctor", "--json") == 1
    yunet = find_checks(capsys, "detector")["yunet"]
    assert yunet["state"] == "broken"
    assert "truncated after 7 bytes. Expected" in yunet["detail"]
    assert "mien models pull yunet" in yunet["detail"]
    assert mien("models") == 0
    assert "broken: " in capsys.readouterr().out


def test_cameras_are_listed_by_name_and_not_opened(tmp_path):
    (tmp_path / "video0").mkdir()
    (tmp_path / "video0" / "name").write_text("Front camera\n")
    (tmp_path / "video1").mkdir()
    assert [(each.name, each.detail) for each in check_cameras(tmp_path)] == [
        ("/dev/video0", "Front camera"),
        ("/dev/video1", ""),
    ]
    [none] = check_cameras(tmp_path / "nothing")
    assert none.name == "none listed"


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script_for_each_shell(shell, capsys):
    assert mien("completion", shell) == 0
    assert f"_MIEN_COMPLETE={shell}_complete" in capsys.readouterr().out.replace("'", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_bash_script_has_valid_syntax(capsys):
    mien("completion", "bash")
    subprocess.run(["bash", "-n"], input=capsys.readouterr().out, text=True, check=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mien pre", {"predict"}),
        ("mien models ", {"pull", "show"}),
        ("mien predict --det", {"--detector"}),
        ("mien predict --detector ha", {"haar"}),
        ("mien predict --model b", {"base"}),
    ],
)
@pytest.mark.full
def test_commands_options_and_names_are_completed(line, expected):
    words = line.split(" ")
    variables = environment(_MIEN_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    process = subprocess.run(command(), env=variables, capture_output=True, text=True, timeout=60)
    assert process.returncode == 0
    assert expected <= {answer.partition(",")[2] for answer in process.stdout.splitlines()}
