"""Many at once: faces of several requests in one run, a queue that has an end, deadlines, and turns."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from fakes import FakeClassifier
from mien.apps.web.batching import MAX_BATCH, BatchingClassifier
from mien.apps.web.concurrency_limit import ConcurrencyLimit, ServerBusy
from mien.errors import ModelError
from web import READINGS, app_of, fake_engine, picture, send, service


class Slow(FakeClassifier):
    """Holds each run until it is let go, or takes its time."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds, self.hold = seconds, threading.Event()
        self.hold.set()

    def run(self, faces):
        self.hold.wait(10)
        time.sleep(self.seconds)
        return super().run(faces)


def faces(value, count=1):
    return np.full((count, 8, 8, 1), value, np.uint8)


def queued(inner, first, others):
    """A queue that was asked for ``first`` and, while its run was on, for all ``others``; and what became of each."""
    inner.hold.clear()
    batched = BatchingClassifier(inner)
    with ThreadPoolExecutor(12) as pool:
        begun = pool.submit(batched.run, first)
        while not batched._running:
            time.sleep(0.001)
        time.sleep(0.02)
        waiting = [pool.submit(batched.run, each) for each in others]
        while len(batched._pending) < len(others):
            time.sleep(0.001)
        inner.hold.set()
        _, late = wait([begun, *waiting], 5)
    assert not late
    return batched, [begun, *waiting]


def test_what_comes_while_a_run_is_on_goes_together_in_the_next():
    inner = Slow()
    given = [faces(20 * i, i % 3 + 1) for i in range(1, 11)]
    _, asked = queued(inner, faces(0), given)
    assert inner.runs == [1, sum(map(len, given))]
    alone = FakeClassifier()
    for answer, each in zip(asked, [faces(0), *given], strict=True):
        np.testing.assert_array_equal(answer.result().scores, alone.run(each).scores)


@pytest.mark.parametrize("kind", [ModelError, ZeroDivisionError])
def test_one_that_stops_the_model_fails_alone(kind):
    class Picky(Slow):
        def run(self, given):
            if (given == 13).any():
                raise kind("unlucky")
            return super().run(given)

    _, (first, good, bad, better) = queued(Picky(), faces(0), [faces(1), faces(13), faces(2)])
    assert [len(each.result().scores) for each in (first, good, better)] == [1, 1, 1]
    with pytest.raises(kind, match="unlucky"):
        bad.result()


def test_a_model_that_breaks_tells_all_who_wait_and_works_again():
    class Broken(Slow):
        def run(self, given):
            answer = super().run(given)
            if given.any():
                raise ZeroDivisionError(int(given.flat[0]))
            return answer

    batched, asked = queued(Broken(), faces(9), [faces(1), faces(2), faces(3)])
    assert [str(each.exception()) for each in asked] == ["9", "1", "2", "3"]
    assert len(batched.run(faces(0)).scores) == 1


def test_a_run_has_an_upper_end():
    inner = Slow()
    inner.hold.clear()
    batched = BatchingClassifier(inner)
    with ThreadPoolExecutor(9) as pool:
        jobs = [pool.submit(batched.run, faces(i, 20)) for i in range(9)]
        while len(batched._pending) < 8:
            time.sleep(0.001)
        inner.hold.set()
        for job in jobs:
            job.result(5)
    assert max(inner.runs) <= MAX_BATCH
    assert sum(inner.runs) == 180


def test_an_idle_model_never_waits_for_others():
    batched = BatchingClassifier(FakeClassifier(), window=5.0, others=lambda: False)
    began = time.perf_counter()
    batched.run(faces(3))
    assert time.perf_counter() - began < 1


def test_the_gate_lets_so_many_in_and_so_many_wait():
    gate, inside, leave = ConcurrencyLimit(2, 3), threading.Semaphore(0), threading.Event()

    def work():
        with gate.inside(time.monotonic() + 10):
            inside.release()
            leave.wait(10)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        inside.acquire(timeout=5)
    while gate.waiting < 3:
        time.sleep(0.001)
    assert gate.working == 2
    with pytest.raises(ServerBusy) as full, gate.inside(time.monotonic() + 10):
        pass
    assert not full.value.late
    assert full.value.after >= 1
    leave.set()
    for thread in threads:
        thread.join(5)
    assert (gate.waiting, gate.working) == (0, 0)


def test_a_wait_ends_at_its_deadline():
    gate = ConcurrencyLimit(1, 1)
    with gate.inside(time.monotonic() + 1):
        began = time.monotonic()
        with pytest.raises(ServerBusy) as late, gate.inside(time.monotonic() + 0.05):
            pass
        assert late.value.late
        assert time.monotonic() - began < 1
    with gate.inside(time.monotonic()):
        pass


def busy_app(**settings):
    classifier = Slow()
    classifier.hold.clear()
    app = app_of(fake_engine(classifier=classifier), workers=1, threads=12, streams=0, **settings)
    return app, classifier


def test_a_full_queue_says_when_to_come_back():
    app, classifier = busy_app(waiting=2, deadline=10)
    with ThreadPoolExecutor(3) as pool:
        begun = [pool.submit(send, app.test_client(), picture()) for _ in range(3)]
        while service(app).gate.waiting < 2:
            time.sleep(0.001)
        answer = send(app.test_client(), picture())
        ready = app.test_client().get("/api/v1/ready")
        classifier.hold.set()
        assert [each.result(10).status_code for each in begun] == [200, 200, 200]
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json["detail"].startswith("The server has too much to do")
    assert (ready.status_code, ready.json["status"]) == (503, "full")
    assert 'mien_refused_total{reason="queue"} 1.0' in app.test_client().get("/api/v1/metrics").text


def test_a_request_that_waited_too_long_is_given_up():
    app, classifier = busy_app(waiting=2, deadline=0.1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(send, app.test_client(), picture())
        while service(app).gate.working < 1:
            time.sleep(0.001)
        answer = send(app.test_client(), picture())
        classifier.hold.set()
        assert first.result(10).status_code == 200
    assert answer.status_code == 503
    assert "in time" in answer.json["detail"]


def test_many_pictures_in_one_request_leave_turns_to_others():
    app = app_of(fake_engine(classifier=Slow(0.05)), workers=1, threads=12, streams=0)
    many = {"pictures": ["iVBORw0KGgo="] * 0 or [_base64(picture()) for _ in range(20)]}
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(app.test_client().post, READINGS, json=many)
        while service(app).gate.working < 1:
            time.sleep(0.001)
        began = time.perf_counter()
        assert send(app.test_client(), picture()).status_code == 200
        took = time.perf_counter() - began
        assert not long.done()
        assert len(long.result(20).json["pictures"]) == 20
    assert took < 0.5


def _base64(data):
    import base64

    return base64.b64encode(data).decode()


def test_a_thread_is_always_left_to_say_that_the_others_are_busy():
    from mien.apps.web.settings import WebSettings

    for threads in (4, 8, 24):
        known = WebSettings(threads=threads, workers=2, waiting=1000)
        assert known.crew + known.queue + known.streams < max(threads, known.crew + known.streams + 1)
