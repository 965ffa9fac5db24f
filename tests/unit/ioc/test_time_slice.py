from __future__ import annotations

import asyncio
import itertools
import time

from archioc.ioc.ca.limits.time_slice import SLICE_S, LoopSharing, TimeSlice

WORKERS, ROUNDS = 50, 20


async def spun(order: list[int], number: int, turns: LoopSharing, rounds: int) -> None:
    for _ in range(rounds):
        await turns.next()
        order.append(number)


def test_all_go_on_in_order() -> None:
    """Those that have much to do go on one after the other, each as often as the others."""
    order: list[int] = []

    async def run() -> None:
        turns = LoopSharing()
        await asyncio.gather(*(spun(order, number, turns, ROUNDS) for number in range(WORKERS)))

    asyncio.run(run())
    assert order == list(range(WORKERS)) * ROUNDS


def test_one_goes_on_in_a_round_of_the_loop() -> None:
    """Between two rounds of the loop at most one of them goes on, however many wait, so that other work waits for one slice at most."""
    order: list[int] = []
    seen = []

    async def run() -> None:
        turns = LoopSharing()
        work = asyncio.gather(*(spun(order, number, turns, ROUNDS) for number in range(WORKERS)))
        while not work.done():
            seen.append(len(order))
            await asyncio.sleep(0)

    asyncio.run(run())
    assert max(after - before for before, after in itertools.pairwise(seen)) == 1
    assert len(seen) <= WORKERS * ROUNDS + 5


def test_cancelled_ones_hold_up_nobody() -> None:
    """Whoever is cancelled while waiting gives its turn to the next; those that come later are served too."""
    order: list[int] = []

    async def run() -> None:
        turns = LoopSharing()
        tasks = [asyncio.create_task(spun(order, number, turns, 2)) for number in range(10)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks, return_exceptions=True)
            await spun(order, 99, turns, 3)

    asyncio.run(run())
    assert sorted(order) == sorted([1, 3, 5, 7, 9] * 2 + [99] * 3)


def test_slice_gives_way_by_time() -> None:
    """Work goes on while its slice lasts, and gives way when that is over."""

    async def run() -> tuple[int, int]:
        rounds = 0

        async def count() -> None:
            nonlocal rounds
            while True:
                rounds += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        slice_ = TimeSlice()
        await slice_.give_way()
        early = rounds
        time.sleep(SLICE_S)  # noqa: ASYNC251 - it is what must not go on for long
        await slice_.give_way()
        counting.cancel()
        return early, rounds

    early, late = asyncio.run(run())
    assert late > early
