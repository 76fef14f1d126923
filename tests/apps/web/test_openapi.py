"""The description and the service, held against each other by requests that the description allows and forbids."""

import pytest

from web import app_of

schemathesis = pytest.importorskip("schemathesis", reason="it is in the extra 'dev'")

from hypothesis import HealthCheck, Phase, given, settings  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mien.apps.web.openapi import openapi_document  # noqa: E402

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
ROUTES = [(verb, path) for path, item in openapi_document()["paths"].items() for verb in item if verb != "parameters"]


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    app = app_of(scratch=str(tmp_path_factory.mktemp("scratch")), film_jobs=500)
    yield schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    app.extensions["mien"].jobs.close()


@pytest.mark.parametrize(("verb", "path"), ROUTES)
def test_the_service_does_what_its_description_says(described, verb, path):
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described[path][verb.upper()].as_strategy())
    def holds(case):
        case.call_and_validate(checks=CHECKS)

    holds()
