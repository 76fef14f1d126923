"""Threads: order, bounded look-ahead, exceptions, and that no thread is left."""

import threading
import time
from itertools import count

import cv2
import pytest

from mien.concurrency import iterate_in_background, ordered_map, single_core_opencv

DEADLINE = 20.0


def running_threads(prefix) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(prefix)]


def wait_until(condition) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.005)


def test_map_yields_groups_in_the_order_of_the_items():
    barrier = threading.Barrier(2)

    def square(number):
        if number < 2:  # the first two finish together, whichever thread is faster
            barrier.wait(DEADLINE)
        return number**2

    groups = list(ordered_map(square, range(50), 2, max_delay=DEADLINE))
    assert [result for group in groups for result in group] == [number**2 for number in range(50)]
    assert {len(group) for group in groups[:-1]} == {8}


def test_map_takes_at_most_two_groups_ahead_and_ends_its_threads_when_closed():
    numbers = count()
    results = ordered_map(lambda number: number, numbers, 2)
    assert next(results)[0] == 0
    assert next(numbers) <= 16
    results.close()
    assert not running_threads("mien-read")


def test_map_yields_results_of_a_slow_source_before_a_group_is_full():
    end, stop = time.monotonic() + DEADLINE, threading.Event()

    def numbers():
        for number in count():
            if stop.is_set():
                return
            assert time.monotonic() < end, "no result was yielded"
            time.sleep(0.005)
            yield number

    results = ordered_map(lambda number: number, numbers(), 2, group_per_worker=10**6, max_delay=0.01)
    assert next(results)[0] == 0
    stop.set()
    list(results)


def test_map_raises_the_exception_of_the_source_and_ends_its_threads():
    def numbers():
        yield 0
        raise RuntimeError("no more items")

    with pytest.raises(RuntimeError, match="no more items"):
        list(ordered_map(lambda number: number, numbers(), 2))
    assert not running_threads("mien-read")


def test_background_iterator_yields_every_item_in_order():
    assert list(iterate_in_background((number for number in range(500)), 3, "mien-test")) == list(range(500))
    assert not running_threads("mien-test")


def test_background_iterator_runs_no_further_ahead_than_its_queue():
    produced = []

    def numbers():
        for number in range(100):
            produced.append(number)
            yield number

    iterator = iterate_in_background(numbers(), 3, "mien-test")
    assert next(iterator) == 0
    wait_until(lambda: len(produced) >= 5)  # one consumed, three in the queue, one that waits
    assert len(produced) <= 6
    iterator.close()


def test_background_iterator_raises_the_exception_after_the_items_before_it():
    def numbers():
        yield 1
        raise ValueError("decoder failed")

    iterator = iterate_in_background(numbers(), 2, "mien-test")
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="decoder failed"):
        next(iterator)


@pytest.mark.parametrize("end", [lambda iterator: iterator.close(), list], ids=["closed", "exhausted"])
def test_background_iterator_closes_its_source(end):
    closed = threading.Event()

    def numbers():
        try:
            yield from range(10)
        finally:
            closed.set()

    iterator = iterate_in_background(numbers(), 2, "mien-test")
    next(iterator)
    end(iterator)
    assert closed.is_set()


def test_chained_background_iterators_end_together():
    iterator = (number for number in range(10_000))
    for name in ("mien-test-a", "mien-test-b", "mien-test-c"):
        iterator = iterate_in_background(iterator, 2, name)
    assert next(iterator) == 0
    iterator.close()
    assert not running_threads("mien-test")


def test_opencv_uses_one_core_until_the_last_block_ends():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        with single_core_opencv:
            with single_core_opencv:
                assert cv2.getNumThreads() == 1
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
