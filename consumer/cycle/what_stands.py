"""Reads what stands in one go, into the situation that a plan, its proof and a forecast are functions of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.catalogue.asking import wanted_for_a_plan
from consumer.catalogue.registry import DATA_SETS
from consumer.cycle.plan import facts_wanted
from consumer.data_sets.situation import Situation
from consumer.postgres.holdings_reader import read_holdings
from consumer.redis_cache.marks import tokens_in
from consumer.tasks import slot_files
from contract import keys
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.tasks.part import PartContext, Services
    from consumer.tasks.slot_files import FilesSeen
    from consumer.tasks.terms import Terms


async def read_situation(ctx: PartContext, terms: Terms | None = None, *, every_fact: bool = False) -> Situation:
    """Read what the cycle of *ctx* is planned by, at one instant; *terms* if they are not the cycle's own.

    With *every_fact* also what the plan itself would leave to a part of the pass: to say what is missing in words.
    """
    terms = terms or ctx.terms
    files = await files_seen(ctx)
    marks = await _marks(ctx.services) if TaskName.REDIS_SYNC in terms.cycle.tasks else {}
    async with ctx.services.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        holdings = await read_holdings(connection, wanted_for_a_plan(terms))
        bare = Situation(terms=terms, holdings=holdings, now=ctx.services.now(), files=files, marks=marks)
        readers = facts_wanted(bare)
        if every_fact:
            readers = [one for one in DATA_SETS if one.reads is not None and one.task in terms.cycle.tasks]
        facts = {one.name: await one.reads(connection, bare) for one in readers}
    return msgspec.structs.replace(bare, holdings=msgspec.structs.replace(holdings, facts=facts))


async def files_seen(ctx: PartContext) -> FilesSeen:
    """Look once a plan which flat files are out; whatever becomes of that, the plan goes on."""
    wanted = {TaskName.VOLUME_SLOTS, TaskName.REDIS_SYNC} & set(ctx.cycle.tasks)
    return await slot_files.look(ctx) if wanted else slot_files.FilesSeen()


async def _marks(services: Services) -> dict[str, int]:
    found: Any = await asyncio.to_thread(services.cache.hgetall, keys.CACHES.pattern)
    return tokens_in(found)
