"""The published JSON Schema is the one of the code: in the package and in the documentation."""

import json
from importlib import resources
from pathlib import Path

import jsonschema

from sparsescope.results import json_schema


def test_the_published_schema_is_up_to_date() -> None:
    packaged = resources.files("sparsescope") / "schemas" / "evaluation-1.json"
    documented = Path(__file__).parents[2] / "docs" / "evaluation-1.schema.json"
    assert json.loads(packaged.read_text(encoding="utf-8")) == json_schema()
    assert documented.read_text(encoding="utf-8") == packaged.read_text(encoding="utf-8")


def test_it_is_a_schema_with_the_names_others_rely_on() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {
        *("schema", "version", "created", "preset", "seed", "confidence", "environment", "benchmark", "models"),
        *("pairs", "metrics", "verdicts", "methods", "radar", "cost"),
    }
    definitions = schema["$defs"]
    assert set(definitions["ModelInfo"]["properties"]) >= {
        *("name", "role", "path", "sha256", "architecture", "parameters", "nonzero", "sparsity", "warnings")
    }
    assert set(definitions["MetricResult"]["properties"]) >= {
        *("name", "label", "dimension", "unit", "higher_is_better", "source", "options", "in_verdict", "values"),
        *("differences", "details"),
    }
    assert set(definitions["Verdict"]["properties"]) >= {
        *("outcome", "policy", "confidence", "dimensions", "metrics", "paper")
    }
