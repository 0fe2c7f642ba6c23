"""Declares the proof of slots: that nobody traded is held against the daily bars; the caches of RVOL follow from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from consumer.data_sets.declaration import Covers, DataSet, PartKind
from consumer.data_sets.missing import whole
from consumer.tasks import rvol_caches, volume_slots
from consumer.tasks.redis_sync import Cache
from contract import data_sets as names
from contract.messages import TaskName

if TYPE_CHECKING:
    from consumer.data_sets.situation import Situation
    from consumer.postgres.ledger import PartPlan


def _missing(situation: Situation) -> list[PartPlan]:
    """Also by a backfill: its sessions are proven by their own bars."""
    due = situation.is_planned(*SLOT_PROOF.made_from, *SLOT_PROOF.planned_with)
    return [whole(SLOT_PROOF)] if due or situation.is_stale(SLOT_PROOF.name, SLOT_PROOF.made_from) else []


_IDENTITIES = (names.IDENTITY, names.BOUNDARIES, names.DETAILS)

SLOT_PROOF = DataSet(
    name=names.SLOT_PROOF,
    task=TaskName.VOLUME_SLOTS,
    covers=Covers.SESSION,
    meaning="a session's slots, whole or not, were held against its bars",
    kinds=(
        PartKind(
            name="prove",
            run=volume_slots.prove,
            after=(names.DAILY_BARS, names.PLAUSIBILITY, names.VOLUME_SLOTS),
        ),
    ),
    made_from=(names.DAILY_BARS, names.TAKEN),
    planned_with=(names.VOLUME_SLOTS,),
    missing=_missing,
    caches=(
        *(
            Cache(
                name=cache,
                made_from=(names.SLOT_PROOF, names.SPLITS, names.SPLIT_CHECK, *_IDENTITIES),
                requires=(names.SLOT_PROOF,),
                prepare=partial(rvol_caches.averages, partition=partition),
            )
            for partition, cache in enumerate(names.CACHE_RVOL)
        ),
        Cache(
            name=names.CACHE_RVOL_SESSIONS,
            made_from=(names.SLOT_PROOF, *_IDENTITIES),
            requires=(names.SLOT_PROOF,),
            prepare=rvol_caches.observed_sessions,
        ),
    ),
)
