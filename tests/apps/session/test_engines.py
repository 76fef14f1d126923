"""The cache of engines that all windows share."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes import FakeClassifier, FakeDetector
from mien.apps.session.engines import EngineCache
from mien.engine import Engine
from mien.errors import DetectorError, ModelMissing


class Loader:
    """Makes fake engines and records their names; waits until ``ready`` is set."""

    def __init__(self):
        self.calls, self.ready = [], threading.Event()
        self.ready.set()

    def __call__(self, *, model, detector, prior):
        self.calls.append((model, detector))
        self.ready.wait(10)
        return Engine(FakeClassifier(), FakeDetector())


def cache(loader, **options):
    return EngineCache(**{"models": ("base", "small"), "load": loader, **options})


def test_cache_loads_nothing_before_the_first_request():
    loader = Loader()
    cache(loader)
    assert loader.calls == []


def test_cache_loads_each_combination_once():
    loader = Loader()
    engines = cache(loader, detector="haar")
    assert engines.get() is engines.get("base") is engines.get("base", "haar")
    assert engines.get("small") is not engines.get("small", "none")
    assert loader.calls == [("base", "haar"), ("small", "haar"), ("small", "none")]


def test_loaded_engine_needs_no_files_of_packages(monkeypatch):
    engines = cache(Loader(), detector="haar")
    engines.get("base", "haar")
    monkeypatch.setattr("mien.apps.session.engines.detector_names", lambda: pytest.fail("packages were read again"))
    assert engines.get("base", "haar") is engines.get()


def test_cache_loads_once_for_many_threads():
    loader = Loader()
    loader.ready.clear()
    engines = cache(loader)
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(engines.get) for _ in range(4)]
        loader.ready.set()
        assert len({id(result.result(10)) for result in results}) == 1
    assert len(loader.calls) == 1


def test_cache_removes_the_engine_that_was_not_used_for_the_longest_time():
    loader = Loader()
    engines = cache(loader, limit=2)
    first, second = engines.get("base"), engines.get("small")
    assert engines.get("base") is first
    engines.get("base", "none")
    assert engines.get("base") is first
    assert engines.get("small") is not second


def test_own_engine_is_the_only_one_unless_models_are_named():
    loader, own = Loader(), Engine(FakeClassifier(), FakeDetector())
    engines = EngineCache(own, load=loader)
    assert engines.get() is engines.get(own.card.name) is own
    assert engines.names == (own.card.name,)
    assert engines.cards() == {own.card.name: own.card}
    with pytest.raises(DetectorError, match="not available with the detector 'haar'"):
        engines.get(None, "haar")
    assert EngineCache(own, models=("base",)).names == (own.card.name, "base")
    assert loader.calls == []


def test_default_may_be_a_path_but_requests_name_only_offered_models():
    loader = Loader()
    engines = cache(loader, model="./other.onnx")
    engines.get()
    assert engines.names == ("./other.onnx", "base", "small")
    with pytest.raises(ModelMissing, match=r"no model 'smal' here.*Did you mean 'small'"):
        engines.get("smal")
    with pytest.raises(ModelMissing):
        engines.get("/etc/passwd")
    with pytest.raises(DetectorError, match=r"no detector 'har'.*Did you mean 'haar'"):
        engines.get("base", "har")
    assert loader.calls == [("./other.onnx", "auto")]


def test_failed_load_is_tried_again():
    def load(*, model, detector, prior="training"):
        raise ModelMissing("damaged")

    engines = cache(load)
    for _ in range(2):
        with pytest.raises(ModelMissing, match="damaged"):
            engines.get()


def test_card_of_a_model_needs_no_load():
    loader = Loader()
    assert cache(loader).card("small").name == "small"
    assert loader.calls == []
