"""Reading ahead: in order, not too far, and errors where they belong."""

import threading
import time

import pytest

from stages.shared.prefetch import read_ahead


def test_results_come_in_the_items_order_whichever_is_ready_first():
    def read(number):
        time.sleep(0.01 * (number % 3))
        return number * 10

    assert list(read_ahead(read, range(20), ahead=5)) == [number * 10 for number in range(20)]


def test_no_more_is_read_ahead_than_may_wait():
    started = []
    results = read_ahead(started.append, range(100), ahead=4)
    next(results)
    time.sleep(0.05)
    assert len(started) <= 5
    results.close()
    assert len(started) <= 6


def test_an_error_comes_at_its_item_and_ends_the_reading():
    def read(number):
        if number == 3:
            raise ValueError("third")
        return number

    results = read_ahead(read, range(1000), ahead=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="third"):
        next(results)
    assert threading.active_count() < 20


def test_nothing_to_read_is_nothing():
    assert list(read_ahead(str, [], ahead=4)) == []
