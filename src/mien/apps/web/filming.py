"""A film read for a job."""

from __future__ import annotations

from mien.apps.film.gathered import Order, gather
from mien.apps.web.jobs import Job


def read(job: Job) -> None:
    """Read the job's film and leave the results in its folder. Ends early, leaving nothing, when the job is left."""
    options = job.options
    order = Order(job.folder / "film", job.name, job.folder, options["fps"], options["end"], options["blur"])
    done = gather(job.engine, order, left=job.left.is_set, tell=lambda facts: job.tell(facts=facts))
    if done is not None:
        job.tell(facts=done.facts, results=done.results)
