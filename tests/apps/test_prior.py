"""The prior that every command, the engines of a window and the web API pass on to the model."""

import json
from pathlib import Path

import numpy as np
import pytest

from command import mien
from mien import Engine
from mien.apps.cli.command_line import mien as commands
from mien.apps.session.engines import EngineCache
from mien.errors import PriorError
from mien.video.journal import AnalysisOptions

EXAMPLES = Path(__file__).parents[2] / "examples"
READERS = ("predict", "video", "live", "explain", "serve", "desktop", "gradio", "streamlit")


@pytest.mark.parametrize("name", READERS)
def test_every_command_that_reads_has_the_option(name):
    options = {option.name: option for option in commands.get_command(None, name).params}
    assert list(options["prior"].type.choices) == ["training", "even"]


def test_predict_with_an_even_prior_prints_other_scores_of_the_same_face(capsys):
    scores = {}
    for prior in ("training", "even"):
        arguments = ("predict", EXAMPLES / "hopper.jpg", "--json", "--detector", "haar", "--prior", prior)
        assert mien(*arguments, load=Engine.load) == 0
        scores[prior] = json.loads(capsys.readouterr().out)["faces"][0]["scores"]
    frequencies = Engine.load("base", detector="none").card.decision["prior"]
    divided = {label: score / frequencies[label] for label, score in scores["training"].items()}
    expected = {label: score / sum(divided.values()) for label, score in divided.items()}
    assert scores["even"] == pytest.approx(expected, abs=1e-4)
    assert scores["even"] != pytest.approx(scores["training"], abs=1e-4)


def test_model_without_class_frequencies_is_refused(capsys):
    arguments = ("predict", EXAMPLES / "hopper.jpg", "--model", "classic", "--prior", "even")
    assert mien(*arguments, load=Engine.load) == 1
    assert "'classic' has no class frequencies" in capsys.readouterr().err


def test_unknown_prior_is_a_usage_error(capsys):
    assert mien("predict", "a.jpg", "--prior", "evn") == 2
    assert "evn" in capsys.readouterr().err


def test_engine_cache_has_the_prior_in_its_key():
    engines = EngineCache(model="base", detector="none", prior="even")
    assert engines.get() is engines.get(prior="even") is engines.get("base", "none", "even")
    assert engines.get(prior="training") is not engines.get()
    assert engines.get().card.decision["even"]
    assert "even" not in engines.get(prior="training").card.decision
    with pytest.raises(PriorError, match=r"no prior 'evn'.*Did you mean 'even'"):
        engines.get(prior="evn")


def test_own_engine_has_one_prior():
    own = Engine.load("base", detector="none")
    engines = EngineCache(own)
    assert engines.get(prior="training") is own
    with pytest.raises(PriorError, match="not available with the prior 'even'"):
        engines.get(prior="even")


@pytest.mark.parametrize("sent", ["query", "form"])
def test_web_api_takes_the_prior(sent):
    pytest.importorskip("flask")
    from mien.apps.web import create_app

    client = create_app(detector="haar", log="off").test_client()

    def read(prior, model="base"):
        options = {"prior": prior, "model": model}
        with (EXAMPLES / "hopper.jpg").open("rb") as file:
            data = {"file": (file, "a.jpg"), **(options if sent == "form" else {})}
            query = options if sent == "query" else None
            return client.post("/api/v1/readings", data=data, query_string=query)

    plain, even = (read(prior).get_json()["images"][0]["faces"][0] for prior in ("training", "even"))
    assert plain["box"] == even["box"]
    assert plain["scores"] != pytest.approx(even["scores"], abs=1e-4)
    assert plain["votes"] == pytest.approx(even["votes"], abs=1e-4)
    for prior, model, words in (("evn", "base", "Did you mean 'even'"), ("even", "classic", "no class frequencies")):
        answer = read(prior, model)
        assert answer.status_code == 400
        assert words in answer.get_json()["detail"]
        assert answer.get_json()["error"] == "PriorError"


def test_logits_of_an_explanation_give_the_even_scores():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    engine = Engine.load("base", detector="none", prior="even")
    explanation = engine.explain(crop, "cam")
    exponentials = np.exp([logit for _, logit in explanation.logits])
    scores = [score for _, score in explanation.emotions.scores]
    np.testing.assert_allclose(exponentials / exponentials.sum(), scores, atol=1e-4)
    np.testing.assert_allclose(engine.score(crop[None])[0], scores, atol=1e-6)
    added = explanation.bias + sum(each.amount for each in explanation.contributions)
    assert added == pytest.approx(dict(explanation.logits)[explanation.target], abs=1e-3)


def test_analysis_of_a_video_is_not_resumed_with_another_prior():
    options = AnalysisOptions("clip.webm")
    headers = [options.journal_header(Engine.load(detector="none", prior=prior)) for prior in ("training", "even")]
    assert headers[0].differences(headers[1]) == ["prior"]
