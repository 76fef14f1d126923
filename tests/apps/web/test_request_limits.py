"""Batching of faces, the concurrency limit, its queue and its deadlines."""

import base64
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from PIL import Image

from fakes import FakeClassifier
from mien.apps.session.uploads import Upload
from mien.apps.web.errors import ServerBusy
from mien.apps.web.service import MAX_BATCH, BatchingClassifier, ConcurrencyLimit, PixelBudget
from mien.errors import ModelError
from web import READINGS, GatedClassifier, image_bytes, make_app, make_fake_engine, post_bytes, service_of, wait_until


def faces_of(value, count=1):
    return np.full((count, 8, 8, 1), value, np.uint8)


def run_during(inner, first, others):
    """The futures of ``first``, and of ``others`` that arrive while its run is on."""
    inner.gate.clear()
    batching = BatchingClassifier(inner)
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(batching.run, first)]
        wait_until(lambda: batching.running and not batching.waiting)
        futures += [pool.submit(batching.run, each) for each in others]
        wait_until(lambda: batching.waiting == len(others))
        inner.gate.set()
        _, late = wait(futures, 5)
    assert not late
    return batching, futures


def test_faces_that_arrive_during_a_run_share_the_next_run():
    inner = GatedClassifier()
    requests = [faces_of(20 * i, i % 3 + 1) for i in range(1, 11)]
    _, futures = run_during(inner, faces_of(0), requests)
    assert inner.runs == [1, sum(map(len, requests))]
    for future, request in zip(futures, [faces_of(0), *requests], strict=True):
        np.testing.assert_array_equal(future.result().scores, FakeClassifier().run(request).scores)


@pytest.mark.parametrize("kind", [ModelError, ZeroDivisionError])
def test_faces_that_make_the_model_fail_do_not_affect_other_requests(kind):
    class SometimesFailingClassifier(GatedClassifier):
        def run(self, faces):
            if (faces == 13).any():
                raise kind("unlucky")
            return super().run(faces)

    _, (first, second, failed, last) = run_during(
        SometimesFailingClassifier(), faces_of(0), [faces_of(n) for n in (1, 13, 2)]
    )
    assert [len(each.result().scores) for each in (first, second, last)] == [1, 1, 1]
    with pytest.raises(kind, match="unlucky"):
        failed.result()


def test_broken_model_reports_to_every_request_and_can_run_again():
    class AlwaysFailingClassifier(GatedClassifier):
        def run(self, faces):
            outputs = super().run(faces)
            if faces.any():
                raise ZeroDivisionError(int(faces.flat[0]))
            return outputs

    batching, futures = run_during(AlwaysFailingClassifier(), faces_of(9), [faces_of(n) for n in (1, 2, 3)])
    assert [str(each.exception()) for each in futures] == ["9", "1", "2", "3"]
    assert len(batching.run(faces_of(0)).scores) == 1


def test_size_of_a_batch_is_limited():
    inner = GatedClassifier()
    run_during(inner, faces_of(0, 20), [faces_of(i, 20) for i in range(8)])
    assert max(inner.runs) <= MAX_BATCH
    assert sum(inner.runs) == 180


def test_idle_model_does_not_wait_for_more_faces():
    batching = BatchingClassifier(FakeClassifier(), window=5.0, others=lambda: False)
    start = time.perf_counter()
    batching.run(faces_of(3))
    assert time.perf_counter() - start < 4


def test_limit_bounds_running_and_waiting_requests():
    limit, leave = ConcurrencyLimit(2, 3), threading.Event()

    def hold_slot():
        with limit.slot(time.monotonic() + 10):
            leave.wait(10)

    threads = [threading.Thread(target=hold_slot) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: (limit.running, limit.waiting) == (2, 3))
    with pytest.raises(ServerBusy) as full, limit.slot(time.monotonic() + 10):
        pass
    assert not full.value.timed_out
    assert full.value.retry_after >= 1
    leave.set()
    for thread in threads:
        thread.join(5)
    assert (limit.waiting, limit.running) == (0, 0)


def test_wait_for_a_slot_ends_at_its_deadline():
    limit = ConcurrencyLimit(1, 1)
    with limit.slot(time.monotonic() + 1):
        with pytest.raises(ServerBusy) as late, limit.slot(time.monotonic() + 0.02):
            pass
        assert late.value.timed_out
    with limit.slot(time.monotonic()):
        pass


# In the app


@pytest.fixture
def classifier():
    classifier = GatedClassifier()
    yield classifier
    classifier.gate.set()


def make_busy_app(classifier, **settings):
    return make_app(make_fake_engine(classifier), workers=1, threads=12, streams=0, **settings)


def test_full_queue_rejects_with_a_retry_time(classifier):
    classifier.gate.clear()
    app = make_busy_app(classifier, waiting=2, deadline=10)
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(post_bytes, app.test_client(), image_bytes()) for _ in range(3)]
        wait_until(lambda: service_of(app).limit.waiting == 2)
        rejected = post_bytes(app.test_client(), image_bytes())
        ready = app.test_client().get("/api/v1/ready")
        classifier.gate.set()
        assert [future.result(10).status_code for future in futures] == [200, 200, 200]
    assert rejected.status_code == 503
    assert int(rejected.headers["Retry-After"]) >= 1
    assert rejected.json["detail"].startswith("The server is busy")
    assert (ready.status_code, ready.json["status"]) == (503, "full")
    assert 'mien_refused_total{reason="queue"} 1.0' in app.test_client().get("/api/v1/metrics").text


def test_request_that_waits_too_long_is_rejected(classifier):
    classifier.gate.clear()
    app = make_busy_app(classifier, waiting=2, deadline=0.1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post_bytes, app.test_client(), image_bytes())
        wait_until(lambda: service_of(app).limit.running == 1)
        rejected = post_bytes(app.test_client(), image_bytes())
        classifier.gate.set()
        assert first.result(10).status_code == 200
    assert rejected.status_code == 503
    assert "waited for too long" in rejected.json["detail"]


def test_request_with_many_images_lets_others_run_between_its_images():
    class InterruptedClassifier(FakeClassifier):
        """During its second run, another request with a bright image joins the queue."""

        def __init__(self):
            super().__init__()
            self.bright = []

        def run(self, faces):
            if len(self.bright) == 1:
                thread.start()
                wait_until(lambda: service_of(app).limit.waiting == 1)
            self.bright.append(bool(faces.mean() > 200))
            return super().run(faces)

    classifier = InterruptedClassifier()
    app = make_busy_app(classifier)
    thread = threading.Thread(target=post_bytes, args=(app.test_client(), image_bytes(value=255)))
    images = [base64.b64encode(image_bytes(value=0)).decode()] * 5
    response = app.test_client().post(READINGS, json={"images": images})
    thread.join(10)
    assert len(response.json["images"]) == 5
    assert classifier.bright == [False, False, True, False, False, False]


def test_large_images_wait_for_each_other():
    budget, order = PixelBudget(100), []

    def analyze(name, pixels):
        with budget.hold(pixels, time.monotonic() + 20):
            order.append(f"{name} begins")
            time.sleep(0.05)
            order.append(f"{name} ends")

    with budget.hold(60, time.monotonic() + 20):
        large = threading.Thread(target=analyze, args=("large", 500))
        large.start()
        analyze("small", 30)
        time.sleep(0.05)
        assert order == ["small begins", "small ends"]
    large.join()
    assert order[2:] == ["large begins", "large ends"]


def test_image_that_waits_too_long_for_memory_is_rejected():
    budget = PixelBudget(100)
    with budget.hold(60, time.monotonic()), pytest.raises(ServerBusy), budget.hold(60, time.monotonic() + 0.02):
        pass
    with budget.hold(100, time.monotonic()):
        pass


@pytest.mark.parametrize(("kind", "pixels"), [("PNG", 200), ("WEBP", 400)])
def test_pixels_are_read_from_the_head_of_a_file(kind, pixels):
    assert Upload("a", image_bytes(20, 10, file_format=kind)).count_pixels() == pixels
    assert Upload("a", b"no image").count_pixels() == 0


def test_pixels_above_the_limit_of_pillow_are_counted():
    stream = io.BytesIO()
    Image.new("1", (14_000, 14_000)).save(stream, "PNG")
    assert Upload("a", stream.getvalue()).count_pixels() == 196_000_000
