"""Makes requests of a service's OpenAPI document, right and wrong ones, and prints what it does not keep to of it.

`python -m tests.web.generated_requests URL TOKEN`; a process of its own, since what is drawn hangs on PYTHONHASHSEED.
"""

from __future__ import annotations

import sys
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup

EXAMPLES = 5
#: The first does not end; the second says 503 without a worker, which a generator takes for a fault. Both have tests.
NOT_TRIED = ("/events", "/readyz")
#: What a schema cannot say is refused with a cure: a day without a session, a symbol that nobody has, a run to come.
NOT_ASKED = ("positive_data_acceptance",)


def findings(url: str, token: str) -> list[str]:
    """What is found against the service at *url*; the same requests each time."""
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers)
    checks = [check for check in CHECKS.get_all() if check.__name__ not in NOT_ASKED]
    operations = [one for found in schema.get_all_operations() if (one := found.ok()).path not in NOT_TRIED]
    tries = [tried(one, mode, checks, headers) for one in operations for mode in schemathesis.GenerationMode]
    return [problem for problem in tries if problem is not None]


def tried(operation: Any, mode: schemathesis.GenerationMode, checks: list[Any], headers: dict[str, str]) -> str | None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.validate_response(case.call(headers=headers), checks=checks, headers=headers)

    try:
        ask()
    except Unsatisfiable:
        return None  # nothing of it can be wrong
    except FailureGroup as found:
        return f"{operation.label} ({mode.value}): {found!r}"
    return None


if __name__ == "__main__":
    found = findings(*sys.argv[1:])
    print("\n\n".join(found))
    sys.exit(1 if found else 0)
