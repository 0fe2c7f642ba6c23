"""Has PostgreSQL itself write down what commits: triggers note each fact in the transaction that makes it true.

So a fact that is rolled back is none, and what the code under test says of itself does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.histories.records import Begun, Buried, CycleTurned, FindingTurned, Held, PartTurned, Record, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TABLES = """
CREATE TABLE history (at bigint GENERATED ALWAYS AS IDENTITY, kind text NOT NULL, facts jsonb NOT NULL);

CREATE FUNCTION note_cycle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (kind, facts) VALUES ('CycleTurned', jsonb_build_object(
        'cycle', NEW.cycle_id, 'day', NEW.trading_day, 'state', NEW.state, 'run_pass', NEW.pass));
    RETURN NULL;
END $$;
CREATE TRIGGER note_cycle AFTER INSERT OR UPDATE OF state, pass ON cycle FOR EACH ROW EXECUTE FUNCTION note_cycle();

-- Whoever takes a part puts it at work under a token, which need not be another one: that would be a fault.
CREATE FUNCTION note_part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.state = 'running' THEN
        INSERT INTO history (kind, facts) VALUES ('Begun', jsonb_build_object(
            'cycle', NEW.cycle_id, 'part', NEW.task || '/' || NEW.part, 'fence', NEW.fence, 'by', NEW.holder));
    END IF;
    INSERT INTO history (kind, facts) VALUES ('PartTurned', jsonb_build_object(
        'cycle', NEW.cycle_id, 'part', NEW.task || '/' || NEW.part, 'state', NEW.state, 'run_pass', NEW.pass));
    RETURN NULL;
END $$;
CREATE TRIGGER note_part AFTER INSERT OR UPDATE OF state, pass ON part FOR EACH ROW EXECUTE FUNCTION note_part();

CREATE FUNCTION note_load() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (kind, facts) VALUES ('Written', jsonb_build_object('cycle', NEW.cycle_id,
        'part', NEW.task || '/' || NEW.part, 'fence', NEW.fence, 'rows', NEW.row_count));
    RETURN NULL;
END $$;
CREATE TRIGGER note_load AFTER INSERT ON data_load FOR EACH ROW EXECUTE FUNCTION note_load();

CREATE FUNCTION note_coverage() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (kind, facts) VALUES ('Held', jsonb_build_object(
        'day', NEW.trading_day, 'data_set', NEW.data_set, 'rows', NEW.row_count));
    RETURN NULL;
END $$;
CREATE TRIGGER note_coverage AFTER INSERT OR UPDATE ON coverage FOR EACH ROW EXECUTE FUNCTION note_coverage();

CREATE FUNCTION note_letter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (kind, facts) VALUES ('Buried', jsonb_build_object('entry', NEW.entry_id));
    RETURN NULL;
END $$;
CREATE TRIGGER note_letter AFTER INSERT ON dead_letter FOR EACH ROW EXECUTE FUNCTION note_letter();

CREATE FUNCTION note_finding() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO history (kind, facts) VALUES ('FindingTurned', jsonb_build_object(
        'number', NEW.finding_id, 'day', NEW.trading_day, 'is_open', NEW.state = 'open'));
    RETURN NULL;
END $$;
CREATE TRIGGER note_finding AFTER INSERT OR UPDATE OF state ON session_finding FOR EACH ROW
    EXECUTE FUNCTION note_finding();
"""
KINDS: dict[str, Callable[..., Record]] = {
    kind.__name__: kind for kind in (CycleTurned, PartTurned, Begun, Written, Held, Buried, FindingTurned)
}


def record_of(kind: str, facts: Mapping[str, Any], *, at: float) -> Record:
    """Return the record that a row of `history` is."""
    return KINDS[kind](at=at, **facts)
